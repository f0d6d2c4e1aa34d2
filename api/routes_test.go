package api_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
)

// document is the part of openapi.yaml that these tests look at.
type document struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Parameters map[string]parameter `yaml:"parameters"`
		Schemas    map[string]schema    `yaml:"schemas"`
	} `yaml:"components"`
}

type operation struct {
	OperationID string      `yaml:"operationId"`
	Service     string      `yaml:"x-service"`
	Pages       bool        `yaml:"x-pages"`
	Summary     string      `yaml:"summary"`
	Parameters  []parameter `yaml:"parameters"`
	RequestBody struct {
		Required bool `yaml:"required"`
		Content  map[string]struct {
			Schema schema `yaml:"schema"`
		} `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]any `yaml:"responses"`
}

type parameter struct {
	Ref      string `yaml:"$ref"`
	Name     string `yaml:"name"`
	In       string `yaml:"in"`
	Required bool   `yaml:"required"`
	Schema   schema `yaml:"schema"`
}

type schema struct {
	Ref        string            `yaml:"$ref"`
	Type       any               `yaml:"type"`
	Required   []string          `yaml:"required"`
	Default    any               `yaml:"default"`
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
}

func load(t *testing.T) document {
	t.Helper()
	var doc document
	require.NoError(t, yaml.Unmarshal(api.OpenAPI, &doc))
	return doc
}

func TestRoutesAreTheOperationsOfTheDocument(t *testing.T) {
	t.Parallel()
	documented := map[api.Route]bool{}
	for path, item := range load(t).Paths {
		for method, op := range item {
			documented[api.Route{
				Method:      strings.ToUpper(method),
				Path:        path,
				Service:     op.Service,
				OperationID: op.OperationID,
				Pages:       op.Pages,
			}] = true
		}
	}

	require.Len(t, api.Routes, len(documented))

	for _, route := range api.Routes {
		require.True(t, documented[route], "%+v is not in openapi.yaml", route)
	}
}

func TestEveryOperationIsNamedOnceAndOwned(t *testing.T) {
	t.Parallel()
	services := []string{"authorize", "device", "keys", "session", "token"}
	ids := map[string]bool{}
	for path, item := range load(t).Paths {
		for method, op := range item {
			where := method + " " + path
			require.NotEmpty(t, op.OperationID, where)
			require.False(t, ids[op.OperationID], "%s: operationId %s is used twice", where, op.OperationID)
			ids[op.OperationID] = true
			require.Contains(t, services, op.Service, where)
			require.NotEmpty(t, op.Summary, where)

			for _, status := range []string{"400", "405", "414", "500", "503"} {
				require.Contains(t, op.Responses, status, where)
			}

			if method == "post" {
				require.Contains(t, op.Responses, "413", where)
			}
		}
	}
}

func TestForReturnsTheRoutesOfOneService(t *testing.T) {
	t.Parallel()
	var all []api.Route
	for _, service := range []string{"keys", "authorize", "token", "device", "session"} {
		routes := api.For(service)
		require.NotEmpty(t, routes)
		for _, r := range routes {
			require.Equal(t, service, r.Service)
		}
		all = append(all, routes...)
	}

	require.ElementsMatch(t, api.Routes, all)
	require.Empty(t, api.For("nobody"))
	require.Len(t, api.Routes, len(all), "For must not change Routes")
}

// RFC 6749 5.2 and RFC 7662 2.2 promise JSON to a program, whatever its HTTP
// library puts into Accept.
func TestPagesAreForWhereABrowserGoes(t *testing.T) {
	t.Parallel()
	const oauth = "/api/v1/platform/oauth"
	for path, pages := range map[string]bool{
		oauth + "/authorize":                     true,
		oauth + "/logout":                        true,
		oauth + "/device/verify":                 true,
		"/device":                                true,
		"/account":                               true,
		"/account/password":                      true,
		"/auth/flows/flw_1":                      true,
		"/auth/tenants/acme":                     true,
		"/auth/typo":                             true,
		"/auth":                                  true,
		"/device/typo":                           true,
		"/devices":                               false,
		"/auth/assets/page.css":                  false,
		"/auth/tenants/a/theme.css":              false,
		oauth + "/token":                         false,
		oauth + "/userinfo":                      false,
		oauth + "/introspect":                    false,
		oauth + "/revoke":                        false,
		oauth + "/device/authorize":              false,
		oauth + "/typo":                          false,
		"/api/v1/platform/.well-known/jwks.json": false,
		oauth + "/.well-known/openid-configuration":       false,
		"/.well-known/oauth-authorization-server" + oauth: false,
		"/": false,
		"":  false,
	} {
		require.Equal(t, pages, api.PagesAt(api.Routes, path), path)
	}
}
