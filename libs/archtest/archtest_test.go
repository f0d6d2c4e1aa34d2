package archtest

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// tree makes a repository of one file a package: file name to what it imports.
func tree(files map[string][]string) fstest.MapFS {
	repo := fstest.MapFS{}
	for name, imports := range files {
		source := "package x\n"
		for _, i := range imports {
			source += fmt.Sprintf("import _ %q\n", i)
		}
		repo[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return repo
}

const r = repository

func TestEachRuleFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	const a = "services/a"
	tests := map[string]struct {
		module, file, imports string
		problem               string
	}{
		"domain knows HTTP":         {a, a + "/internal/domain/d.go", "net/http", "domain knows no HTTP"},
		"ports know an HTTP helper": {a, a + "/internal/ports/p.go", "net/http/httptest", "ports knows no HTTP"},
		"app knows HTTP":            {a, a + "/internal/app/a.go", "net/http", "app knows no HTTP"},
		"app knows gin": {
			a, a + "/internal/app/a.go", "github.com/gin-gonic/gin",
			"gin is for libs/httpkit and a service's httpapi only",
		},
		"app knows SQL": {
			a, a + "/internal/app/a.go", "github.com/jmoiron/sqlx", "app imports the standard library",
		},
		"app knows the database": {
			a, a + "/internal/app/a.go", r + "/libs/database", "app imports the standard library",
		},
		"app knows telemetry": {
			a, a + "/internal/app/a.go", "go.opentelemetry.io/otel/trace", "app imports the standard library",
		},
		"app knows Vault": {
			a, a + "/internal/app/a.go", "github.com/hashicorp/vault/api", "app imports the standard library",
		},
		"app knows a store of libs": {
			a, a + "/internal/app/a.go", r + "/libs/grants/sqlstore", "app imports the standard library",
		},
		"app knows httpkit": {
			a, a + "/internal/app/a.go", r + "/libs/httpkit", "app imports the standard library",
		},
		"a package below app, too": {a, a + "/internal/app/grant/a.go", "net/http", "app knows no HTTP"},
		"domain imports ports": {
			a, a + "/internal/domain/d.go", r + "/services/a/internal/ports", "domain never imports ports",
		},
		"domain imports app": {
			a, a + "/internal/domain/d.go", r + "/services/a/internal/app", "domain never imports app",
		},
		"ports import app": {
			a, a + "/internal/ports/p.go", r + "/services/a/internal/app", "ports never imports app",
		},
		"app imports an adapter": {
			a, a + "/internal/app/a.go", r + "/services/a/internal/adapters/sqlstore",
			"app never imports a driven adapter",
		},
		"app imports httpapi": {
			a, a + "/internal/app/a.go", r + "/services/a/internal/adapters/httpapi", "app never imports httpapi",
		},
		"an adapter imports app": {
			a, a + "/internal/adapters/sqlstore/s.go", r + "/services/a/internal/app",
			"a driven adapter never imports app",
		},
		"an adapter imports another": {
			a, a + "/internal/adapters/sqlstore/s.go", r + "/services/a/internal/adapters/vault",
			"an adapter never imports another adapter",
		},
		"an adapter imports httpapi": {
			a, a + "/internal/adapters/sqlstore/s.go", r + "/services/a/internal/adapters/httpapi",
			"a driven adapter never imports httpapi",
		},
		"httpapi imports an adapter": {
			a, a + "/internal/adapters/httpapi/h.go", r + "/services/a/internal/adapters/sqlstore",
			"httpapi never imports a driven adapter",
		},
		"an adapter knows gin": {
			a, a + "/internal/adapters/sqlstore/s.go", "github.com/gin-gonic/gin", "gin is for",
		},
		"the wiring knows gin": {a, a + "/a.go", "github.com/gin-gonic/gin/binding", "gin is for"},
		"a command wires": {
			a, a + "/cmd/a/main.go", r + "/services/a/internal/app", "cmd never imports app",
		},
		"a suite imports an adapter": {
			a, a + "/internal/ports/porttest/p.go", r + "/services/a/internal/adapters/sqlstore",
			"a contract suite never imports a driven adapter",
		},
		"ports import their suite": {
			a, a + "/internal/ports/p.go", r + "/services/a/internal/ports/porttest",
			"ports never imports a contract suite",
		},
		"a service imports another": {a, a + "/a.go", r + "/services/b", "a service never imports another"},
		"a service imports deployments": {
			a, a + "/a.go", r + "/deployments/platform", "never imports what deploys it",
		},
		"a service has SQLite": {
			a, a + "/a.go", r + "/libs/database/sqlite", "only platform and tests link SQLite",
		},
		"a service has the driver": {
			a, a + "/a.go", "modernc.org/sqlite", "the driver is for libs/database/sqlite only",
		},
		"a package outside the rings":   {a, a + "/internal/util/u.go", "fmt", "a service has <name>.go, cmd"},
		"an exported package":           {a, a + "/types/t.go", "fmt", "a service has <name>.go, cmd"},
		"adapters without a technology": {a, a + "/internal/adapters/s.go", "fmt", "a service has <name>.go, cmd"},
		"libs import a service": {
			"libs", "libs/servicekit/s.go", r + "/services/a", "never services or deployments",
		},
		"libs import deployments": {
			"libs", "libs/servicekit/s.go", r + "/deployments/platform", "never services or deployments",
		},
		"libs start a browser": {
			"libs", "libs/testkit/t.go", r + "/libs/testkit/chromium", "for the tests of the whole system",
		},
		"a service starts a browser": {
			a, a + "/a.go", r + "/libs/testkit/chromium", "for the tests of the whole system",
		},
		"a module of libs imports a service": {
			"libs/testkit/chromium", "libs/testkit/chromium/c.go", r + "/services/a",
			"never services or deployments",
		},
		"gin in another lib":        {"libs", "libs/webui/w.go", "github.com/gin-gonic/gin", "gin is for"},
		"the driver in another lib": {"libs", "libs/database/d.go", "modernc.org/sqlite", "the driver is for"},
		"SQLite in another lib": {
			"libs", "libs/servicekit/s.go", r + "/libs/database/sqlite", "only platform and tests",
		},
		"the vocabulary has a dependency": {
			"libs", "libs/oauth/o.go", "golang.org/x/crypto/argon2", "the standard library only",
		},
		"plain types know gin": {"libs", "libs/grants/g.go", "github.com/gin-gonic/gin", "gin is for"},
		"plain types know sqlx": {
			"libs", "libs/directory/d.go", "github.com/jmoiron/sqlx", "libs/directory holds plain types",
		},
		"plain types know pq": {
			"libs", "libs/sessions/s.go", "github.com/lib/pq", "libs/sessions holds plain types",
		},
		"plain types know Vault": {
			"libs", "libs/signing/s.go", "github.com/hashicorp/vault/api", "libs/signing holds plain types",
		},
		"plain types know telemetry": {
			"libs", "libs/grants/g.go", "go.opentelemetry.io/otel/metric", "libs/grants holds plain types",
		},
		"plain types know the database": {
			"libs", "libs/clientauth/c.go", r + "/libs/database", "libs/clientauth holds plain types",
		},
		"the contract has a dependency": {
			"api", "api/a.go", "github.com/goccy/go-yaml", "the contract imports the standard library only",
		},
		"the contract imports libs": {
			"api", "api/a.go", r + "/libs/oauth", "the contract imports no other module",
		},
		"platform knows gin": {
			"deployments", "deployments/platform/main.go", "github.com/gin-gonic/gin", "gin is for",
		},
		"platform has the driver": {
			"deployments", "deployments/platform/main.go", "modernc.org/sqlite", "the driver is for",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := check(tree(map[string][]string{test.file: {test.imports}}), test.module)
			require.NoError(t, err)
			require.NotEmpty(t, problems)
			require.Contains(t, problems[0], test.problem)
			require.Contains(t, problems[0], test.module)
		})
	}
}

// wellBuilt keeps every rule.
func wellBuilt() fstest.MapFS {
	repo := tree(map[string][]string{
		"api/api.go":                     {"embed"},
		"api/internal/routegen/main.go":  {"github.com/goccy/go-yaml"},
		"libs/oauth/o.go":                {"strings"},
		"libs/clientauth/c.go":           {r + "/libs/oauth", r + "/libs/directory"},
		"libs/directory/d.go":            {r + "/libs/oauth"},
		"libs/directory/sqlstore/s.go":   {r + "/libs/database", r + "/libs/directory"},
		"libs/grants/g.go":               {r + "/libs/directory"},
		"libs/sessions/s.go":             {"time"},
		"libs/limits/l.go":               {"crypto/hmac"},
		"libs/audit/a.go":                {"time"},
		"libs/signing/s.go":              {"github.com/go-jose/go-jose/v4"},
		"libs/signing/vaulttransit/v.go": {"github.com/hashicorp/vault/api"},
		"libs/directory/registration/r.go": {
			r + "/libs/directory", r + "/libs/clientauth",
		},
		"libs/httpkit/h.go": {
			"github.com/gin-gonic/gin", "go.opentelemetry.io/otel/trace", r + "/api",
		},
		"libs/database/d.go":         {"github.com/jmoiron/sqlx", "github.com/lib/pq"},
		"libs/database/sqlite/s.go":  {"modernc.org/sqlite"},
		"libs/testkit/t.go":          {r + "/libs/database", r + "/libs/database/sqlite"},
		"libs/testkit/chromium/c.go": {"github.com/chromedp/chromedp", r + "/libs/testkit/apt"},
		"libs/oauth/o_test.go":       {"github.com/stretchr/testify/require"},
		"libs/oauth/testdata/x.go":   {"github.com/gin-gonic/gin"},
		"services/a/a.go": {
			r + "/libs/servicekit", r + "/services/a/internal/app", r + "/services/a/internal/adapters/httpapi",
			r + "/services/a/internal/adapters/sqlstore", r + "/libs/grants/sqlstore",
		},
		"services/a/cmd/a/main.go":        {r + "/services/a", r + "/libs/servicekit"},
		"services/a/internal/domain/d.go": {"net/url", r + "/libs/oauth"},
		"services/a/internal/ports/p.go": {
			"context", r + "/services/a/internal/domain", r + "/libs/grants",
		},
		"services/a/internal/ports/porttest/p.go": {
			"testing", r + "/services/a/internal/ports", "github.com/stretchr/testify/require",
		},
		"services/a/internal/app/a.go": {
			r + "/services/a/internal/domain", r + "/services/a/internal/ports", r + "/libs/signing",
		},
		"services/a/internal/adapters/httpapi/h.go": {
			"net/http", "github.com/gin-gonic/gin", r + "/services/a/internal/app", r + "/libs/httpkit",
		},
		"services/a/internal/adapters/sqlstore/s.go": {
			r + "/services/a/internal/ports", r + "/libs/database", r + "/services/a/internal/adapters/sqlstore/rows",
		},
		"services/a/internal/adapters/sqlstore/rows/r.go": {"time"},
		"services/a/arch_test.go": {
			r + "/libs/archtest", r + "/libs/testkit", r + "/services/b",
		},
		"deployments/platform/main.go": {r + "/services/a", r + "/libs/database/sqlite"},
		"deployments/tools/t.go":       {"github.com/gin-gonic/gin"},
	})

	repo["deployments/tools/go.mod"] = &fstest.MapFile{Data: []byte("module tools\n")}
	repo["libs/testkit/chromium/go.mod"] = &fstest.MapFile{
		Data: []byte("module " + r + "/libs/testkit/chromium\n"),
	}
	repo["libs/go.mod"] = &fstest.MapFile{Data: []byte(`module github.com/platform-oauth/platform-oauth/libs

require github.com/gin-gonic/gin v1.12.0
require (
	github.com/hashicorp/vault/api v1.23.0
	github.com/jmoiron/sqlx v1.4.0
	github.com/lib/pq v1.12.3 // indirect
	go.opentelemetry.io/otel/trace v1.47.0
	modernc.org/sqlite v1.62.0
)
`)}

	return repo
}

func TestAWellBuiltRepositoryPasses(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"api", "libs", "libs/testkit/chromium", "services/a", "deployments"} {
		problems, err := check(wellBuilt(), module)
		require.NoError(t, err)
		require.Empty(t, problems, module)
	}

	require.Empty(t, rot(wellBuilt()))
}

func TestPlainTypesAreFollowedThroughWhatTheyImport(t *testing.T) {
	t.Parallel()
	problems, err := check(tree(map[string][]string{
		"libs/grants/g.go": {r + "/libs/helper"},
		"libs/helper/h.go": {"github.com/lib/pq"},
	}), "libs")
	require.NoError(t, err)
	require.Equal(t,
		[]string{"libs/helper/h.go:2 imports github.com/lib/pq: libs/grants holds plain types, without a technology"},
		problems)
}

func TestLinkingSQLiteIsFoundHoweverFarAway(t *testing.T) {
	t.Parallel()
	require.Empty(t, linked([]string{"fmt", r + "/libs/database", "modernc.org/mathutil"}))
	require.Len(t, linked([]string{"modernc.org/sqlite/lib", r + "/libs/database/sqlite", r + "/libs/testkit"}), 3)
}

func TestNamesThatNoLongerExistAreFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(fstest.MapFS)
		problem string
	}{
		"a plain package has moved": {
			func(m fstest.MapFS) { delete(m, "libs/grants/g.go") }, "libs/grants does not exist",
		},
		"a plain package is gone": {
			func(m fstest.MapFS) { delete(m, "libs/limits/l.go") }, "libs/limits does not exist",
		},
		"a library is no longer required": {
			func(m fstest.MapFS) { m["libs/go.mod"].Data = []byte("module x\n") }, "does not import github.com/lib/pq",
		},
		"a library is no longer used": {
			func(m fstest.MapFS) { m["libs/httpkit/h.go"] = m["libs/oauth/o.go"] },
			"libs/httpkit does not import github.com/gin-gonic/gin",
		},
		"SQLite has moved": {
			func(m fstest.MapFS) { delete(m, "libs/database/sqlite/s.go") }, "libs/database/sqlite does not exist",
		},
		"testkit has moved": {
			func(m fstest.MapFS) { delete(m, "libs/testkit/t.go") }, "libs/testkit does not exist",
		},
		"the browser has moved": {
			func(m fstest.MapFS) { delete(m, "libs/testkit/chromium/go.mod") }, "chromium is not a module",
		},
		"no service has ports": {
			func(m fstest.MapFS) { delete(m, "services/a/internal/ports/p.go") }, `no service has the ring "ports"`,
		},
		"httpapi is called otherwise": {
			func(m fstest.MapFS) { delete(m, "services/a/internal/adapters/httpapi/h.go") },
			`no service has the ring "httpapi"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := wellBuilt()
			test.change(repo)
			require.Contains(t, fmt.Sprint(rot(repo)), test.problem)
		})
	}
}

func TestReadModulePath(t *testing.T) {
	t.Parallel()
	module, err := readModulePath(wellBuilt(), "libs/go.mod")
	require.NoError(t, err)
	require.Equal(t, r+"/libs", module)
	_, err = readModulePath(wellBuilt(), "nowhere/go.mod")
	require.Error(t, err)
	_, err = readModulePath(wellBuilt(), "api/api.go")
	require.ErrorContains(t, err, "no module line")
}
