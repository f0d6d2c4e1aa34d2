package config

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// prefix is the prefix of the platform's own variables.
const prefix = "PLATFORM_"

// LoadOptions are the sources of a configuration, in increasing precedence: the sections' own
// defaults, Defaults, Environ, Overrides.
type LoadOptions struct {
	// Environ has the form of os.Environ. An empty value counts as not set.
	Environ []string
	// Defaults replace the sections' own defaults, by variable (see EmbeddedDefaults).
	Defaults map[string]string
	// Overrides take precedence over the environment, by variable. They come from flags.
	Overrides map[string]string
}

// Load fills cfg, a pointer to a struct of sections, or returns a *Error with every
// problem: unknown names, values that can't be parsed or make no sense, missing values, and
// secret files that can't be read.
func Load(cfg any, opts LoadOptions) error {
	l := &loader{fields: fields(cfg), problems: map[string]string{}}
	l.gather(opts)
	l.files(opts.Overrides)
	l.parse(cfg)
	l.validate(cfg)
	l.finish(cfg)
	return l.err()
}

// loader collects the first problem of each variable.
type loader struct {
	fields   []field
	values   map[string]string
	set      map[string]bool // by the environment, a file or a flag
	problems map[string]string
}

func (l *loader) problem(variable, message string) {
	if _, known := l.problems[variable]; !known {
		l.problems[variable] = message
	}
}

// gather merges the sources and reports names that no process knows.
func (l *loader) gather(opts LoadOptions) {
	known := knownNames(l.fields)
	environment := map[string]string{}
	for _, entry := range opts.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if (strings.HasPrefix(name, prefix) || known[name]) && value != "" && !injectedByKubernetes(name, value) {
			environment[name] = value
		}
	}

	l.values = maps.Clone(opts.Defaults)
	if l.values == nil {
		l.values = map[string]string{}
	}

	for name := range environment {
		// The file replaces the value, and so takes precedence over a default too.
		delete(l.values, strings.TrimSuffix(name, fileSuffix))
	}

	maps.Copy(l.values, environment)
	maps.Copy(l.values, opts.Overrides)

	l.set = map[string]bool{}
	for _, source := range []map[string]string{environment, opts.Overrides} {
		for name := range source {
			l.set[strings.TrimSuffix(name, fileSuffix)] = true
		}
	}

	for name := range l.values {
		if !known[name] {
			l.problem(name, unknown(name, known))
		}
	}
}

// files reads the secrets given as …_FILE. It reads only those of this process's sections,
// since those of others may not be readable here.
func (l *loader) files(overrides map[string]string) {
	for _, f := range l.fields {
		path := l.values[f.Name+fileSuffix]
		if !f.fromFile() || path == "" {
			continue
		}

		if _, wins := overrides[f.Name]; wins {
			continue
		}

		if _, both := l.values[f.Name]; both {
			l.problem(f.Name, "is set, but "+f.Name+fileSuffix+" is also set; remove one of them")
			continue
		}

		content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		value := strings.TrimSpace(string(content))
		switch {
		case err != nil:
			l.problem(f.Name+fileSuffix, "can't read the file: "+err.Error())
			l.problem(f.Name, "") // already reported
		case value == "":
			l.problem(f.Name+fileSuffix, path+" is empty; write the value to it")
			l.problem(f.Name, "")
		default:
			l.values[f.Name] = value
		}
	}
}

// parse turns text into typed values. It takes one section at a time, because env's errors name
// a field, and field names are unique only within a section.
func (l *loader) parse(cfg any) {
	for _, section := range sections(cfg) {
		err := env.ParseWithOptions(section.Addr().Interface(), env.Options{Environment: l.values, FuncMap: parsers()})
		var all env.AggregateError

		if err == nil {
			continue
		}
		if !errors.As(err, &all) {
			all.Errors = []error{err}
		}

		for _, err := range all.Errors {
			var bad env.ParseError
			if !errors.As(err, &bad) {
				l.problem(section.Type().Name(), err.Error())
				continue
			}

			f := fieldNamed(section.Type(), bad.Name)
			l.problem(f.Name, unreadable(f, l.values[f.Name], bad))
		}
	}
}

// finish fills in defaults that depend on other variables and checks rules between variables.
func (l *loader) finish(cfg any) {
	for _, section := range sections(cfg) {
		value := section.Addr().Interface()
		if s, ok := value.(interface{ fill(given) }); ok {
			s.fill(l.given)
		}
		if s, ok := value.(interface{ relations() []relation }); ok {
			l.relate(s.relations())
		}
	}

	fillAcross(cfg, l.given)
	l.relate(across(cfg))
}

// given reports whether the operator set a variable.
func (l *loader) given(variable string) bool { return l.set[variable] }

func (l *loader) relate(list []relation) {
	for _, r := range list {
		if r.broken && !slices.ContainsFunc(r.variables, l.bad) {
			l.problem(r.variables[0], r.message)
		}
	}
}

func (l *loader) bad(variable string) bool {
	_, bad := l.problems[variable]
	return bad
}
