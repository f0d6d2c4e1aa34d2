// Package testkit starts real servers and programs for tests: a private PostgreSQL server,
// SQLite files, OpenBao, and the part of the Kubernetes API that OpenBao calls. It also has
// a clock that only the test moves. If something can't be started, the test fails and says
// what is missing; no test is skipped. Below it are two browsers: formbrowser, which runs
// no scripts, and chromium, a module of its own.
//
// Only tests import it.
package testkit
