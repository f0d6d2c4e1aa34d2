// Package charttest compares what the Helm chart renders with the code: the routes with the
// OpenAPI document, the environment with the services' configuration, and the network
// policies with the sections of each service. The tests of how a single value changes a
// single template use helm-unittest (charts/platform-oauth/tests).
package charttest
