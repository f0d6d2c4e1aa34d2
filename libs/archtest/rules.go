package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// plainLibs are the packages of libs that hold types and rules without a technology, so that
// every ring may use them. The folders below them (sqlstore, cookie, localkeys) are adapters.
var plainLibs = []name{
	{path: "libs/oauth"},
	{path: "libs/clientauth"},
	{path: "libs/directory"},
	{path: "libs/directory/registration"},
	{path: "libs/grants"},
	{path: "libs/sessions"},
	{path: "libs/signing"},
	{path: "libs/limits"},
	{path: "libs/audit"},
}

// technologies are the libraries that plain types must not know. home is the folder that may
// use the library, and does.
var technologies = []name{
	{path: "github.com/gin-gonic/gin", home: "libs/httpkit"},
	{path: "github.com/jmoiron/sqlx", home: "libs/database"},
	{path: "github.com/lib/pq", home: "libs/database"},
	{path: "go.opentelemetry.io/otel", home: "libs/httpkit"},
	{path: "github.com/hashicorp/vault", home: "libs/signing/vaulttransit"},
	{path: repository + "/libs/database", home: "libs/testkit"},
}

// name is a name used in a rule. rot fails if it does not exist.
type name struct {
	path string
	home string
}

const (
	gin           = "github.com/gin-gonic/gin"
	sqliteDriver  = "modernc.org/sqlite"
	sqlitePackage = repository + "/libs/database/sqlite"
	testkit       = repository + "/libs/testkit"
)

// chromium is the one module below libs. It brings a browser's protocol, which the tests of
// libs do without.
const chromium = "libs/testkit/chromium"

// within reports whether an import path is root or below it.
func within(importPath, root string) bool {
	return importPath == root || strings.HasPrefix(importPath, root+"/")
}

func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

func isPlainLib(importPath string) bool {
	return slices.ContainsFunc(plainLibs, func(n name) bool { return importPath == repository+"/"+n.path })
}

// judge returns why a package of a module must not import something, or "".
func judge(module, dir, importPath string) string {
	for _, rule := range []func(module, dir, importPath string) string{direction, technology, ring} {
		if problem := rule(module, dir, importPath); problem != "" {
			return problem
		}
	}
	return ""
}

// direction keeps modules from depending on modules built from them.
func direction(module, _, importPath string) string {
	other, ours := strings.CutPrefix(importPath, repository+"/")
	if !ours {
		return ""
	}

	switch {
	case module != chromium && module != "deployments" && within(other, chromium):
		return "a browser is for the tests of the whole system"
	case within(other, module):
	case module == "api":
		return "the contract imports no other module"
	case within(module, "libs") && !within(other, "api") && !within(other, "libs"):
		return "libs import the contract only, never services or deployments"
	case strings.HasPrefix(module, "services/") && within(other, "services"):
		return "a service never imports another"
	case strings.HasPrefix(module, "services/") && within(other, "deployments"):
		return "a service never imports what deploys it"
	}

	return ""
}

// technology restricts gin and SQLite to their folders.
func technology(module, dir, importPath string) string {
	switch {
	case within(importPath, gin) && !within(dir, "libs/httpkit") && !within(dir, module+"/internal/adapters/httpapi"):
		return "gin is for libs/httpkit and a service's httpapi only"
	case within(importPath, sqliteDriver) && !within(dir, "libs/database/sqlite"):
		return "the driver is for libs/database/sqlite only"
	case within(importPath, sqlitePackage) && module != "deployments" && !within(dir, "libs/database/sqlite") &&
		!within(dir, "libs/testkit"):
		return "only platform and tests link SQLite"
	case module == "libs" && dir == "libs/oauth" && !isStandard(importPath):
		return "the protocol's vocabulary imports the standard library only"
	case module == "api" && dir == "api" && !isStandard(importPath):
		return "the contract imports the standard library only"
	}

	return ""
}

// place returns the ring of a service that a package is in: wiring, cmd, domain, ports, suite,
// app, httpapi, adapter, or "" for none of them.
func place(module, dir string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(dir, module), "/")
	segments := strings.Split(rest, "/")
	switch {
	case rest == "":
		return "wiring"
	case segments[0] == "cmd":
		return "cmd"
	case len(segments) < 2 || segments[0] != "internal":
		return ""
	case segments[1] == "ports" && strings.HasSuffix(path.Base(dir), "test"):
		return "suite"
	case slices.Contains([]string{"domain", "ports", "app"}, segments[1]):
		return segments[1]
	case segments[1] == "adapters" && len(segments) > 2 && segments[2] == "httpapi":
		return "httpapi"
	case segments[1] == "adapters" && len(segments) > 2:
		return "adapter"
	}

	return ""
}

// placement returns why a package must not be where it is, or "".
func placement(module, dir string) string {
	if strings.HasPrefix(module, "services/") && place(module, dir) == "" {
		return "a service has <name>.go, cmd, internal/domain, internal/ports, internal/app and internal/adapters/<technology>, and nothing else"
	}
	return ""
}

// inward lists what each ring may import of its own service.
var inward = map[string][]string{
	"wiring":  {"domain", "ports", "app", "httpapi", "adapter"},
	"cmd":     {"wiring"},
	"domain":  {"domain"},
	"ports":   {"domain", "ports"},
	"suite":   {"domain", "ports", "suite"},
	"app":     {"domain", "ports", "app"},
	"httpapi": {"domain", "ports", "app", "httpapi"},
	"adapter": {"domain", "ports", "adapter"},
}

// ring keeps a service's imports pointing inwards, and its inner rings free of technology.
func ring(module, dir, importPath string) string {
	if !strings.HasPrefix(module, "services/") {
		return ""
	}

	from := place(module, dir)
	if other, ours := strings.CutPrefix(importPath, repository+"/"); ours && within(other, module) {
		to := place(module, other)
		switch {
		case from == "" || !slices.Contains(inward[from], to):
			return fmt.Sprintf("%s never imports %s", describe(from), describe(to))
		case to == "adapter" && from == "adapter" && adapterOf(module, dir) != adapterOf(module, other):
			return "an adapter never imports another adapter"
		}
		return ""
	}

	if !slices.Contains([]string{"domain", "ports", "app"}, from) {
		return ""
	}

	switch {
	case within(importPath, "net/http"):
		return from + " knows no HTTP"
	case isStandard(importPath), isPlainLib(importPath):
		return ""
	}

	return from + " imports the standard library, inner rings and plain types of libs only"
}

func describe(ring string) string {
	switch ring {
	case "":
		return "a package outside the rings"
	case "wiring":
		return "<name>.go"
	case "suite":
		return "a contract suite"
	case "adapter":
		return "a driven adapter"
	}

	return ring
}

// adapterOf returns the folder below internal/adapters that a package belongs to.
func adapterOf(module, dir string) string {
	rest := strings.TrimPrefix(dir, module+"/internal/adapters/")
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// plainTypes follows the imports of the plain packages through all of libs, because the
// packages they import must not use a technology either.
func plainTypes(packages []pkg) []string {
	byPath := map[string]pkg{}
	for _, p := range packages {
		byPath[repository+"/"+p.dir] = p
	}

	var problems []string
	for _, plain := range plainLibs {
		seen := map[string]bool{}
		var follow func(importPath string)
		follow = func(importPath string) {
			if seen[importPath] {
				return
			}

			seen[importPath] = true

			for _, i := range byPath[importPath].imports {
				if banned(i.path) {
					problems = append(problems,
						fmt.Sprintf("%s imports %s: %s holds plain types, without a technology",
							i.where, i.path, plain.path))
					continue
				}
				follow(i.path)
			}
		}

		follow(repository + "/" + plain.path)
	}

	return problems
}

func banned(importPath string) bool {
	return slices.ContainsFunc(technologies, func(n name) bool { return within(importPath, n.path) })
}

// linked returns the SQLite packages among those that a service links.
func linked(dependencies []string) []string {
	var problems []string
	for _, d := range dependencies {
		if within(d, sqliteDriver) || within(d, sqlitePackage) || within(d, testkit) {
			problems = append(problems, fmt.Sprintf("the service links %s: only platform and tests link SQLite", d))
		}
	}
	return problems
}
