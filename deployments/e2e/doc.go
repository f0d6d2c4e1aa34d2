// Package e2e holds the tests that need the whole system: real processes, real
// databases, a real browser and client libraries that nobody here wrote. Each
// runs in both ways: together (one process, SQLite, local keys) and apart (five
// processes on PostgreSQL, each under its own database role, behind an ingress
// made from the generated routes; where a test asks for replicas, several processes
// of a service in turn). A test of each flow also runs apart with the keys in an
// OpenBao, each service under its own policy. And there is one load of everything
// during which Vault and PostgreSQL fail in every way that we know, with another
// process as the judge of the tokens.
package e2e
