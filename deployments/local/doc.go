// Package local runs the platform on one machine as it runs in production: five services on
// PostgreSQL and Vault transit, each under its own role and policy, behind an ingress,
// observed through OpenTelemetry. compose.yaml starts it with the images of `make images`;
// the Tiltfile installs the manifests in k8s beside the chart. Every password here is
// public and only for loopback.
//
// The Go code is only tests. They check that the routes, variables, roles and files that
// these files name exist.
package local
