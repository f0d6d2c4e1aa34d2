// Package testkit starts real servers and programs for tests: a private PostgreSQL server,
// SQLite files, OpenBao, the part of the Kubernetes API that OpenBao calls, and Chromium.
// It also has a clock that only the test moves. If something can't be started, the test
// fails and says what is missing; no test is skipped.
//
// Only tests import it.
package testkit
