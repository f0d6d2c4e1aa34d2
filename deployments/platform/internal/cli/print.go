package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printRows prints a slice of structs, either as a table or as JSON. The table's columns
// are the fields with a json tag, except those tagged table:"-".
func printRows[T any](a *app, rows []T) error {
	if a.output == "json" {
		if rows == nil {
			rows = []T{}
		}
		return a.printJSON(rows)
	}

	fields := reflect.VisibleFields(reflect.TypeFor[T]())
	return table(a.streams.Out, func(line func(cells ...string)) {
		var head []string
		for _, f := range fields {
			if f.Tag.Get("table") != "-" {
				head = append(head, strings.ToUpper(strings.ReplaceAll(jsonName(f), "_", " ")))
			}
		}

		line(head...)

		for _, row := range rows {
			var cells []string
			for _, f := range fields {
				if f.Tag.Get("table") != "-" {
					cells = append(cells, cell(reflect.ValueOf(row).FieldByIndex(f.Index).Interface()))
				}
			}

			line(cells...)
		}
	})
}

// printRecord prints one struct, either with a line for each field that isn't empty or as
// JSON.
func (a *app) printRecord(record any) error {
	if a.output == "json" {
		return a.printJSON(record)
	}

	v := reflect.ValueOf(record)
	return table(a.streams.Out, func(line func(cells ...string)) {
		for _, f := range reflect.VisibleFields(v.Type()) {
			if text := cell(v.FieldByIndex(f.Index).Interface()); text != "" {
				line(jsonName(f), text)
			}
		}
	})
}

func table(out io.Writer, fill func(line func(cells ...string))) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fill(func(cells ...string) { fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t ")) })
	return w.Flush()
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// cell formats a value for a table. It returns an empty string for unset values.
func cell(v any) string {
	switch v := v.(type) {
	case string:
		return printable(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.Format(time.RFC3339)
	case []string:
		return printable(strings.Join(v, " "))
	}

	switch rv := reflect.ValueOf(v); {
	case rv.Kind() == reflect.String:
		return printable(rv.String())
	case rv.Len() == 0: // lists and claims
		return ""
	}

	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}

	return printable(string(text))
}

// printable escapes text from outside, such as a browser's name, so that it can't control
// the operator's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
