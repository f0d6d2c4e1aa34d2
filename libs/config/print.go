package config

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
)

// otelNote ends the tables, because those variables are OpenTelemetry's own.
const otelNote = "OpenTelemetry's own variables; exporters are off unless OTEL_EXPORTER_OTLP_ENDPOINT is set"

// Setting is a variable and its value, masked if it is secret.
type Setting struct{ Name, Value string }

// Settings returns the names and values of cfg (a struct of sections or a pointer to one), with
// secrets masked.
func Settings(cfg any) []Setting {
	value := reflect.Indirect(reflect.ValueOf(cfg))
	var list []Setting
	for _, f := range fields(cfg) {
		list = append(list, Setting{f.Name, shown(f.Variable, value.FieldByIndex(f.index).Interface())})
	}
	return list
}

// Print writes the Settings of cfg as a table.
func Print(w io.Writer, cfg any) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range Settings(cfg) {
		fmt.Fprintf(table, "%s\t%s\n", s.Name, s.Value)
	}
	return table.Flush()
}

// shown returns a value as --print-config may show it.
func shown(v Variable, value any) string {
	switch value := value.(type) {
	case *url.URL:
		if value == nil {
			return ""
		}
		return maskURL(value.String())
	case []string:
		masked := make([]string, len(value))
		for i, item := range value {
			masked[i] = maskURL(item)
		}
		return strings.Join(masked, ",")
	case []netip.Prefix:
		return joined(value)
	case []EncryptionKey:
		return joined(value)
	}

	text := fmt.Sprint(value)
	switch {
	case text == "":
		return text
	case v.Secret == "", v.Secret == "url":
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

// plainOptions are the URL options whose values are shown. The value of any other may be a
// password.
var plainOptions = []string{"sslmode", "dbname", "host", "port", "target_session_attrs", "connect_timeout"}

// maskURL hides what may be secret in a URL: the password, a user name without one (some
// services take a token there), and the value of every option but a few. It returns anything
// but a URL unchanged.
func maskURL(raw string) string {
	if !strings.Contains(raw, "://") {
		return raw
	}

	u, err := parseAny(raw)
	if err != nil {
		return "***"
	}

	if u.User != nil {
		postgres := strings.HasPrefix(u.Scheme, "postgres")
		_, password := u.User.Password()
		switch {
		case password && postgres:
			u.User = url.UserPassword(u.User.Username(), "***")
		case password:
			u.User = url.UserPassword("***", "***")
		case !postgres:
			u.User = url.User("***")
		}
	}

	options := u.Query()
	for name := range options {
		if !slices.Contains(plainOptions, name) {
			options.Set(name, "***")
		}
	}

	u.RawQuery = options.Encode()

	if u.Fragment != "" {
		u.Fragment, u.RawFragment = "***", ""
	}

	return strings.NewReplacer("%2A%2A%2A", "***", "%2C", ",").Replace(u.String())
}

// parseAny parses a URL, including one with several PostgreSQL hosts.
func parseAny(raw string) (*url.URL, error) {
	if u, err := url.Parse(raw); err == nil {
		return u, nil
	}
	return pqguard.ParseURL(raw)
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
