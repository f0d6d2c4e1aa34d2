// Package testkit starts the real things that tests run against: a private
// PostgreSQL server, SQLite files, OpenBao and what it asks of Kubernetes, Chromium;
// and gives them a clock that only the test moves. What cannot be started fails the
// test and says what is missing: a test is never skipped.
//
// Only tests import it.
package testkit
