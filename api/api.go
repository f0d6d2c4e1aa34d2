package api

import (
	_ "embed"
	"slices"
)

//go:generate go run ./internal/routegen

// OpenAPI is the text of openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Route is one operation of openapi.yaml.
type Route struct {
	// Method is the HTTP method in capitals. HEAD is not listed: it is answered
	// wherever GET is (RFC 9110 9.3.2).
	Method string
	// Path is the path as OpenAPI writes it, parameters in braces: /auth/flows/{flow}.
	Path string
	// Service is the name of the service that answers (x-service).
	Service string
	// OperationID is the name of the operation, unique in the document.
	OperationID string
}

// For returns the routes that one service answers, in the document's order; none
// for a name that owns no route.
func For(service string) []Route {
	return slices.DeleteFunc(slices.Clone(Routes), func(r Route) bool { return r.Service != service })
}
