package archtest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// rot returns the names in the rules that no longer have a counterpart in the repository.
func rot(repo fs.FS) []string {
	var problems []string
	complain := func(format string, args ...any) {
		problems = append(problems, "archtest: "+fmt.Sprintf(format, args...))
	}
	libs, err := load(repo, "libs")
	if err != nil {
		return []string{err.Error()}
	}

	goMod, err := fs.ReadFile(repo, "libs/go.mod")
	if err != nil {
		return []string{err.Error()}
	}

	for _, n := range plainLibs {
		exists := slices.ContainsFunc(libs, func(p pkg) bool { return p.dir == n.path })
		if !exists {
			complain("%s does not exist: correct plainLibs", n.path)
		}
	}

	for _, dir := range stores {
		if !slices.ContainsFunc(libs, func(p pkg) bool { return p.dir == dir }) {
			complain("%s does not exist: correct stores", dir)
		}
	}

	for _, n := range append(slices.Clone(technologies), name{path: sqliteDriver, home: "libs/database/sqlite"}) {
		exists := strings.HasPrefix(n.path, repository) || requires(string(goMod), n.path)
		if !exists || !uses(libs, n.home, n.path) {
			complain("%s does not import %s: the rule against it guards nothing, correct it", n.home, n.path)
		}
	}

	for _, p := range []string{sqlitePackage, testkit} {
		if !slices.ContainsFunc(libs, func(have pkg) bool { return repository+"/"+have.dir == p }) {
			complain("%s does not exist: correct the rule about SQLite", p)
		}
	}

	if _, err := readModulePath(repo, chromium+"/go.mod"); err != nil {
		complain("%s is not a module: correct the rule about browsers", chromium)
	}

	return append(problems, rottenRings(repo)...)
}

// rottenRings returns the rings that no service has.
func rottenRings(repo fs.FS) []string {
	services, err := fs.ReadDir(repo, "services")
	if err != nil {
		return []string{err.Error()}
	}

	have := map[string]bool{}
	for _, s := range services {
		module := "services/" + s.Name()
		packages, err := load(repo, module)
		if err != nil {
			return []string{err.Error()}
		}
		for _, p := range packages {
			have[place(module, p.dir)] = true
		}
	}

	var problems []string
	for _, ring := range []string{"wiring", "cmd", "domain", "ports", "app", "httpapi", "adapter"} {
		if !have[ring] {
			problems = append(problems, fmt.Sprintf("archtest: no service has the ring %q: correct place", ring))
		}
	}

	return problems
}

// requires reports whether a go.mod requires a module at root or below it.
func requires(goMod, root string) bool {
	for line := range strings.Lines(goMod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && within(fields[0], root) {
			return true
		}
	}
	return false
}

func uses(packages []pkg, dir, importPath string) bool {
	return slices.ContainsFunc(packages, func(p pkg) bool {
		return p.dir == dir && slices.ContainsFunc(p.imports,
			func(i imported) bool { return within(i.path, importPath) })
	})
}
