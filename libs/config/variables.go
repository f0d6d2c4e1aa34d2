package config

import (
	"reflect"
	"strings"
)

// Variable is one row of the configuration table.
type Variable struct {
	Name        string
	Default     string // empty: none
	Description string
	Required    bool // the process needs it and there is no default
	// Secret variables may come as NAME_FILE and are never printed. The value is "true", or
	// "url" if only the password inside is secret. "masked" variables are only kept from being
	// printed: their file is read again later and has its own variable.
	Secret string
}

// field is a variable and the place of its value in a configuration.
type field struct {
	Variable
	Example string
	rules   string // see refusal
	index   []int
}

// fromFile reports whether the value may come as NAME_FILE.
func (v Variable) fromFile() bool { return v.Secret != "" && v.Secret != "masked" }

// Table returns every variable known to any process of the platform.
func Table() []Variable { return Variables(&everything{}) }

// Variables returns the table of cfg, a struct of sections or a pointer to one.
func Variables(cfg any) []Variable {
	var list []Variable
	for _, f := range fields(cfg) {
		list = append(list, f.Variable)
	}
	return list
}

// fields returns the variables of a configuration in the order of its sections.
func fields(cfg any) []field { return fieldsOf(reflect.Indirect(reflect.ValueOf(cfg)).Type(), nil) }

func fieldsOf(t reflect.Type, index []int) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		name := f.Tag.Get("env")
		switch {
		case !f.IsExported():
		case name != "":
			list = append(list, field{Variable: Variable{
				Name:        name,
				Default:     f.Tag.Get("envDefault"),
				Description: f.Tag.Get("desc"),
				Required:    f.Tag.Get("envDefault") == "" && strings.HasPrefix(f.Tag.Get("validate"), "required"),
				Secret:      f.Tag.Get("secret"),
			}, Example: f.Tag.Get("example"), rules: f.Tag.Get("validate"), index: at})
		case f.Type.Kind() == reflect.Struct:
			list = append(list, fieldsOf(f.Type, at)...)
		}
	}

	return list
}

// sections returns the addressable sections of a configuration, including those inside a nested
// configuration.
func sections(cfg any) []reflect.Value {
	var list []reflect.Value
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Type.Kind() != reflect.Struct {
				continue
			}

			if hasVariables(f.Type) {
				list = append(list, v.Field(i))
			} else {
				walk(v.Field(i))
			}
		}
	}

	walk(reflect.ValueOf(cfg).Elem())

	return list
}

// hasVariables reports whether t is a section, as opposed to a struct of sections.
func hasVariables(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("env") != "" {
			return true
		}
	}
	return false
}

// fieldNamed returns the variable of a section with the given Go field name.
func fieldNamed(section reflect.Type, name string) field {
	for _, f := range fieldsOf(section, nil) {
		if section.FieldByIndex(f.index).Name == name {
			return f
		}
	}
	return field{Variable: Variable{Name: section.Name() + "." + name}}
}

// Section returns the part of cfg (a pointer to a struct of sections) that has type T. The
// result is false if the process has no such section.
func Section[T any](cfg any) (T, bool) {
	if found, ok := sectionAt[T](cfg); ok {
		return *found, true
	}
	var none T
	return none, false
}

// sectionAt is Section for modifying it.
func sectionAt[T any](cfg any) (*T, bool) {
	for _, v := range sections(cfg) {
		if found, ok := v.Addr().Interface().(*T); ok {
			return found, true
		}
	}
	return nil, false
}
