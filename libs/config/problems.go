package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// fileSuffix ends the name of a variable that names a file with a secret.
const fileSuffix = "_FILE"

// Problem is one problem of a configuration.
type Problem struct {
	Variable string
	Message  string // what is wrong and what to do
}

// Error holds all problems of a configuration.
type Error struct{ Problems []Problem }

// Error returns a text with one line per problem.
func (e *Error) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("configuration: 1 problem")
	} else {
		fmt.Fprintf(&b, "configuration: %d problems", len(e.Problems))
	}

	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s: %s", p.Variable, p.Message)
	}

	return b.String()
}

func (l *loader) err() error {
	var list []Problem
	for _, name := range slices.Sorted(maps.Keys(l.problems)) {
		if message := l.problems[name]; message != "" {
			list = append(list, Problem{Variable: name, Message: message})
		}
	}

	if len(list) == 0 {
		return nil
	}

	return &Error{Problems: list}
}

// unreadable says why a value isn't of its variable's type.
func unreadable(f field, value string, bad env.ParseError) string {
	shown := fmt.Sprintf("%q", value)
	if f.Secret != "" {
		shown = "the value"
	}

	switch {
	case bad.Type == reflect.TypeFor[time.Duration]():
		return shown + " is not a duration; use for example 90s, 15m or 2160h"
	case bad.Type.Kind() == reflect.Int || bad.Type.Kind() == reflect.Int64:
		return shown + " is not a whole number"
	default:
		return bad.Err.Error() // from our own parsers, whose messages are clear
	}
}

// knownNames returns the names of the whole table, of the process's own variables, and of the
// file variants of secrets.
func knownNames(own []field) map[string]bool {
	known := map[string]bool{}
	for _, f := range append(fields(&everything{}), own...) {
		known[f.Name] = true
		if f.fromFile() {
			known[f.Name+fileSuffix] = true
		}
	}
	return known
}

// unknown reports an unknown name and suggests a similar one.
func unknown(name string, known map[string]bool) string {
	best, least := "", 4
	for candidate := range known {
		if d := distance(name, candidate); d < least || (d == least && best != "" && candidate < best) {
			best, least = candidate, d
		}
	}

	if best != "" {
		return "unknown; did you mean " + best + "?"
	}

	if base, isFile := strings.CutSuffix(name, fileSuffix); isFile && known[base] {
		return "unknown; only secrets can come from a file: set " + base
	}

	return "unknown; remove it, or see --help for the names"
}

// kubernetesNames matches the variables that Kubernetes sets in every pod for each Service of
// the namespace. They begin with PLATFORM_ if the Service's name does.
var kubernetesNames = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

var kubernetesPort = regexp.MustCompile(`^(tcp|udp|sctp)://`)

func injectedByKubernetes(name, value string) bool {
	return kubernetesNames.MatchString(name) || (strings.HasSuffix(name, "_PORT") && kubernetesPort.MatchString(value))
}

// distance returns the number of letters to insert, remove or replace to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1

		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}

	return row[len(b)]
}
