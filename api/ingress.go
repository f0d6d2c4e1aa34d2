package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Entry is one line of the route table shared by every way of running the platform: the chart's
// ingress, the process that holds all five services, the ingress of the tests.
type Entry struct {
	Path    string // ends in "/" for a prefix
	Prefix  bool
	Service string
}

// Ingress derives the table from Routes: exact paths first, then prefixes, each sorted. A path
// with a parameter becomes the prefix before the parameter.
func Ingress() []Entry {
	var table []Entry
	for _, route := range Routes {
		e := Entry{Path: route.Path, Service: route.Service}
		if i := strings.IndexByte(e.Path, '{'); i >= 0 {
			e.Path, e.Prefix = e.Path[:i], true
		}
		if !slices.Contains(table, e) {
			table = append(table, e)
		}
	}

	slices.SortFunc(table, func(a, b Entry) int {
		if a.Prefix != b.Prefix {
			if a.Prefix {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Path, b.Path)
	})

	return table
}

// Mux returns a handler that sends each request to the service that owns its path, and a
// request for any other path to the fallback, which must answer it. It neither cleans nor
// redirects paths.
func Mux(services map[string]http.Handler, fallback http.Handler) (http.Handler, error) {
	exact := map[string]http.Handler{}
	type prefixed struct {
		prefix  string
		handler http.Handler
	}
	var prefixes []prefixed
	for _, e := range Ingress() {
		handler, ok := services[e.Service]
		if !ok {
			return nil, fmt.Errorf("api: no handler for service %q, which owns %s", e.Service, e.Path)
		}

		if e.Prefix {
			prefixes = append(prefixes, prefixed{e.Path, handler})
		} else {
			exact[e.Path] = handler
		}
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler, ok := exact[r.URL.Path]; ok {
			handler.ServeHTTP(w, r)
			return
		}

		for _, p := range prefixes {
			if strings.HasPrefix(r.URL.Path, p.prefix) {
				p.handler.ServeHTTP(w, r)
				return
			}
		}

		fallback.ServeHTTP(w, r)
	}), nil
}
