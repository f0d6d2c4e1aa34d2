package servicekit

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"text/tabwriter"
)

// otelNote ends the tables: those variables are OpenTelemetry's own.
const otelNote = "OpenTelemetry's own; exporters are off unless OTEL_EXPORTER_OTLP_ENDPOINT is set"

// Setting is a variable and its value, masked when it is a secret.
type Setting struct{ Name, Value string }

// Settings are the names and values of cfg (a struct of sections or a pointer to
// one) with secrets masked.
func Settings(cfg any) []Setting {
	value := reflect.Indirect(reflect.ValueOf(cfg))
	var list []Setting
	for _, f := range fields(cfg) {
		list = append(list, Setting{f.Name, shown(f.Variable, value.FieldByIndex(f.index).Interface())})
	}
	return list
}

// PrintConfig writes the Settings of cfg as a table.
func PrintConfig(w io.Writer, cfg any) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range Settings(cfg) {
		fmt.Fprintf(table, "%s\t%s\n", s.Name, s.Value)
	}
	return table.Flush()
}

// shown is a value as --print-config may show it.
func shown(v Variable, value any) string {
	switch value := value.(type) {
	case *url.URL:
		if value == nil {
			return ""
		}
		return value.String()
	case []string:
		return strings.Join(value, ",")
	case []netip.Prefix:
		return joined(value)
	case []EncryptionKey:
		return joined(value)
	}
	text := fmt.Sprint(value)
	switch {
	case text == "" || v.Secret == "":
		return text
	case v.Secret == "url":
		return maskURL(text)
	default:
		return "***"
	}
}

func joined[T fmt.Stringer](list []T) string {
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = item.String()
	}
	return strings.Join(parts, ",")
}

// maskURL hides the password and every option's value: some of them are
// passwords too.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "***"
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "***")
	}
	options := u.Query()
	for name := range options {
		if name != "sslmode" && name != "dbname" {
			options.Set(name, "***")
		}
	}
	u.RawQuery = options.Encode()
	return strings.ReplaceAll(u.String(), "%2A%2A%2A", "***")
}

// Help writes a table of variables for a terminal.
func Help(w io.Writer, variables []Variable) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", v.label(), v.initial(), v.Description)
	}
	fmt.Fprintf(table, "  OTEL_…\t\t%s\n", otelNote)
	return table.Flush()
}

// Markdown writes a table of variables for the documentation.
func Markdown(w io.Writer, variables []Variable) error {
	lines := []string{"| name | default | meaning |", "|---|---|---|"}
	escape := strings.NewReplacer("|", `\|`)
	for _, v := range variables {
		initial := v.initial()
		if v.Default != "" {
			initial = "`" + initial + "`"
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |", v.label(), initial, escape.Replace(v.Description)))
	}
	lines = append(lines, "| `OTEL_…` | | "+otelNote+" |")
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func (v Variable) label() string {
	if v.fromFile() {
		return v.Name + "[" + fileSuffix + "]"
	}
	return v.Name
}

func (v Variable) initial() string {
	switch {
	case v.Required:
		return "required"
	case v.Default == "":
		return "none"
	default:
		return v.Default
	}
}
