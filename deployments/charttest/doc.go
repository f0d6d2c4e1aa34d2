// Package charttest holds what the Helm chart renders against what the code says:
// the routes against the OpenAPI document, the environment against the services'
// configuration, who reaches what against their sections. How a single value
// changes a single template is helm-unittest's business (charts/platform-oauth/tests).
package charttest
