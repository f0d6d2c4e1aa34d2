package api

import (
	_ "embed"
	"slices"
	"strings"
)

//go:generate go run ./internal/routegen

// OpenAPI is the text of openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Route is one operation of openapi.yaml.
type Route struct {
	// Method is the HTTP method in capitals. HEAD is not listed, because it is answered
	// wherever GET is (RFC 9110 9.3.2).
	Method string
	// Path is the path in OpenAPI's form, with parameters in braces: /auth/flows/{flow}.
	Path string
	// Service is the name of the service that answers (x-service).
	Service string
	// OperationID is the id of the operation, unique in the document.
	OperationID string
	// Pages reports whether browsers go there (x-pages), so that a caller that prefers
	// text/html gets a page. All other routes answer JSON.
	Pages bool
}

// PagesAt reports whether a path is one that browsers go to: it is the path of a route with
// pages or, if no route has the path, it begins like the path of such a route outside /api, as
// /auth/typo does.
func PagesAt(routes []Route, path string) bool {
	below := false
	for _, r := range routes {
		if matches(r.Path, path) {
			return r.Pages
		}

		first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		if r.Pages && first != "api" && strings.HasPrefix(path+"/", "/"+first+"/") {
			below = true
		}
	}

	return below
}

// matches reports whether a path matches a template such as /auth/flows/{flow}.
func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, have, func(w, h string) bool {
		return w == h || (strings.HasPrefix(w, "{") && h != "")
	})
}

// For returns the routes of one service, in the document's order. It returns none for a name
// that owns no route.
func For(service string) []Route {
	return slices.DeleteFunc(slices.Clone(Routes), func(r Route) bool { return r.Service != service })
}
