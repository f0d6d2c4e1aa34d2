// Package local is the platform on one machine as it runs in production: five
// services on PostgreSQL and Vault transit, each under its own role and policy,
// behind an ingress, watched through OpenTelemetry. compose.yaml starts it with
// the images of `make images`; the manifests in k8s are what the Tiltfile puts
// beside the chart. Every password here is for loopback and known to all.
//
// The Go code is the tests only: that these files name the routes, variables,
// roles and files that there are.
package local
