package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// textRules are the rules on the form of a text. Each returns what is wrong with it, or "".
var textRules = map[string]func(string) string{
	"listen":       checkListen,
	"database_url": checkDatabaseURL,
	"http_url":     checkHTTPURL,
	"vault_path":   checkVaultPath,
	"transit_name": checkTransitName,
}

// validate checks each value against the rules of its variable.
func (l *loader) validate(cfg any) {
	values := reflect.ValueOf(cfg).Elem()
	for _, f := range l.fields {
		if message := f.refusal(values.FieldByIndex(f.index)); message != "" {
			l.problem(f.Name, message)
		}
	}
}

// refusal returns what is wrong with a value by the first rule that it breaks, or "". The rules
// are in the tag validate, separated by commas:
//
//   - required: the value must not be empty
//   - omitempty: an empty value is right whatever follows
//   - oneof=a b: the value is one of these words
//   - gt=n, gte=n or min=n, lte=n or max=n: the bounds of a number or a duration
//   - the names of textRules
//
// It repeats the value only for rules that apply to no secret.
func (f field) refusal(value reflect.Value) string {
	if f.rules == "" {
		return ""
	}

	for rule := range strings.SplitSeq(f.rules, ",") {
		name, param, _ := strings.Cut(rule, "=")
		if name == "omitempty" && value.IsZero() {
			return ""
		}
		if message := f.breaks(name, param, value); message != "" {
			return message
		}
	}

	return ""
}

// breaks returns what is wrong with a value by one rule, or "".
func (f field) breaks(name, param string, value reflect.Value) string {
	if check, ok := textRules[name]; ok {
		return check(value.String())
	}

	switch name {
	case "omitempty":
	case "required":
		if value.IsZero() {
			return "missing; " + strings.TrimSpace("set it, for example to "+f.Example)
		}
	case "oneof":
		words := strings.Fields(param)
		if !slices.Contains(words, value.String()) {
			return fmt.Sprintf("%q is not one of %s", value.String(), strings.Join(words, ", "))
		}
	default:
		return outside(name, param, value)
	}

	return ""
}

// outside returns what is wrong with a number or a duration by one of its bounds, or "".
func outside(name, param string, value reflect.Value) string {
	bound, shown := limit(param, value.Type())
	switch n := value.Int(); {
	case name == "gt" && n <= bound:
		return fmt.Sprintf("%v is too small; it must be greater than %s", value, shown)
	case (name == "gte" || name == "min") && n < bound:
		return fmt.Sprintf("%v is too small; the minimum is %s", value, shown)
	case (name == "lte" || name == "max") && n > bound:
		return fmt.Sprintf("%v is too large; the maximum is %s", value, shown)
	case !slices.Contains([]string{"gt", "gte", "min", "lte", "max"}, name):
		panic("config: no rule has the name " + name)
	}

	return ""
}

// limit returns the bound that a tag names, and how a message shows it. It panics if the tag
// names none, which any test that loads the section would meet.
func limit(param string, of reflect.Type) (bound int64, shown string) {
	if of != reflect.TypeFor[time.Duration]() {
		n, err := strconv.ParseInt(param, 10, 64)
		if err != nil {
			panic(err)
		}
		return n, param
	}

	d, err := time.ParseDuration(param)
	if err != nil {
		panic(err)
	}

	if d == 0 {
		return 0, d.String()
	}
	return int64(d), param
}

// checkHTTPURL returns what is wrong with the URL of an HTTP server, or "".
func checkHTTPURL(raw string) string {
	u, err := url.Parse(strings.ToLower(raw))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "the value is not an http:// or https:// URL"
	}
	return ""
}
