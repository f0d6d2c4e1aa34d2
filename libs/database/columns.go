package database

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Columns are the columns of a table's row type: the db tags of its fields and of those of the
// structs that it embeds, in order. Statements that name every column are built from them, so
// that a new column is named in one place.
type Columns[Row any] struct {
	names  []string
	fields [][]int // by name, for [reflect.Value.FieldByIndex]
}

// ColumnsOf returns the columns of a row type, which must be a struct. It panics if two fields
// have the same column.
func ColumnsOf[Row any]() Columns[Row] {
	var c Columns[Row]
	c.add(reflect.TypeFor[Row](), nil)
	return c
}

func (c *Columns[Row]) add(row reflect.Type, path []int) {
	for i := range row.NumField() {
		field, at := row.Field(i), append(slices.Clone(path), i)
		switch name := field.Tag.Get("db"); {
		case name == "" && field.Anonymous:
			c.add(field.Type, at)
		case slices.Contains(c.names, name):
			panic("database: two fields have the column " + name)
		case name != "":
			c.names, c.fields = append(c.names, name), append(c.fields, at)
		}
	}
}

// List returns the columns as SELECT and INSERT name them: "a, b".
func (c Columns[Row]) List() string { return strings.Join(c.names, ", ") }

// Placeholders returns a placeholder for each column: "$1, $2".
func (c Columns[Row]) Placeholders() string {
	list := make([]string, len(c.names))
	for i := range list {
		list[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(list, ", ")
}

// Excluded returns the assignments of ON CONFLICT … DO UPDATE, for all columns but the key and
// those that keep their value: "b = excluded.b".
func (c Columns[Row]) Excluded(but ...string) string {
	var list []string
	for _, name := range c.names {
		if !slices.Contains(but, name) {
			list = append(list, name+" = excluded."+name)
		}
	}
	return strings.Join(list, ", ")
}

// Values returns the values of a row in the order of Placeholders.
func (c Columns[Row]) Values(row *Row) []any {
	v := reflect.ValueOf(row).Elem()
	values := make([]any, len(c.fields))
	for i, at := range c.fields {
		values[i] = v.FieldByIndex(at).Interface()
	}
	return values
}
