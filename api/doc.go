// Package api is the contract of the platform. openapi.yaml lists the paths, what they take and
// what they answer, and Routes is the same list as Go values, generated so that nothing parses
// YAML at run time. The services mount their handlers by it, the embedded server and the
// chart's ingress route by it, and tests compare all of them.
//
// It contains no handlers, imports only the standard library, and knows no service.
package api
