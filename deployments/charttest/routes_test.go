package charttest

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
)

// The ingress, the OpenAPI document and `platform up` route alike: every documented path
// goes to its x-service, and no other path goes anywhere.
func TestTheIngressHasTheRoutesOfTheContract(t *testing.T) {
	t.Parallel()

	for _, example := range []string{"minimal", "production"} {
		var ingress []object
		for _, o := range render(t, example) {
			if o.Kind == "Ingress" {
				ingress = append(ingress, o)
			}
		}

		require.Len(t, ingress, 1)
		require.Len(t, ingress[0].Spec.Rules, 1)
		rule := ingress[0].Spec.Rules[0]
		require.Equal(t, "login.example.test", rule.Host)
		require.Len(t, ingress[0].Spec.TLS, 1)
		require.Equal(t, []string{rule.Host}, ingress[0].Spec.TLS[0].Hosts)
		var routed []api.Entry
		for _, p := range rule.HTTP.Paths {
			require.Contains(t, []string{"Exact", "Prefix"}, p.PathType)
			service, found := strings.CutPrefix(p.Backend.Service.Name, release+"-platform-oauth-")
			require.True(t, found, p.Backend.Service.Name)
			routed = append(routed, api.Entry{Path: p.Path, Prefix: p.PathType == "Prefix", Service: service})
		}

		require.Equal(t, api.Ingress(), routed)

		used := map[api.Entry]bool{}
		together := mux(t)
		for path, service := range documented(t) {
			at := parameter.ReplaceAllString(path, "abc")
			entry, found := match(routed, at)
			require.True(t, found, path)
			require.Equal(t, service, entry.Service, path)
			used[entry] = true
			answer := httptest.NewRecorder()
			together.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, at, http.NoBody))
			require.Equal(t, service, answer.Body.String(), path)
		}

		require.Len(t, used, len(routed), "every path of the ingress is of a documented one")
	}
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// documented returns the paths in openapi.yaml with their owners.
func documented(t *testing.T) map[string]string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Service string `yaml:"x-service"`
		} `yaml:"paths"`
	}

	require.NoError(t, yaml.Unmarshal(api.OpenAPI, &document))
	owners := map[string]string{}
	for path, operations := range document.Paths {
		for _, operation := range operations {
			require.Contains(t, serviceNames, operation.Service, path)
			owners[path] = operation.Service
		}
	}

	require.NotEmpty(t, owners)
	return owners
}

// mux returns the router of `platform up`, with services that respond with their names.
func mux(t *testing.T) http.Handler {
	t.Helper()
	named := map[string]http.Handler{}
	for _, service := range serviceNames {
		named[service] = http.HandlerFunc(func(
			w http.ResponseWriter, _ *http.Request,
		) {
			_, _ = w.Write([]byte(service))
		})
	}

	handler, err := api.Mux(named, http.NotFoundHandler())
	require.NoError(t, err)
	return handler
}

// match chooses a path of an Ingress as Kubernetes does: an exact one, or the longest
// prefix, element by element.
func match(table []api.Entry, path string) (best api.Entry, found bool) {
	for _, e := range table {
		switch {
		case !e.Prefix && e.Path == path:
			return e, true
		case e.Prefix && strings.HasPrefix(path+"/", strings.TrimSuffix(e.Path, "/")+"/") &&
			len(e.Path) > len(best.Path):
			best, found = e, true
		}
	}
	return best, found
}
