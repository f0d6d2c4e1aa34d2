// Package e2e holds the tests that need the whole system: real processes, real databases, a
// real browser and third-party client libraries. Each test runs in both modes. Together is
// one process with SQLite and local keys. Apart is five processes on PostgreSQL, each under
// its own database role, behind an ingress made from the generated routes; if a test asks
// for replicas, several processes of a service take turns. A test of each flow also runs
// apart with the keys in an OpenBao, each service under its own policy. One test puts load
// on everything while Vault and PostgreSQL fail in every way that we know, and another
// process judges the tokens.
package e2e
