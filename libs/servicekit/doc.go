// Package servicekit is what every process of the platform starts with: strict
// configuration from the environment, logs, traces and metrics, the public and
// the admin listener, health, background tasks under one cancel cause, draining,
// and Main, the whole main function of a service.
//
// It knows nothing of OAuth. It is the only place that reads the environment,
// and it links no SQLite: a process that wants it opens it itself and hands the
// database over in Deps.
package servicekit
