// Package servicekit contains what every process of the platform needs to start: strict
// configuration from the environment, logs, traces and metrics, the public and the admin
// listener, health, background tasks under one cancellation cause, draining, and Main, the
// whole main function of a service.
//
// It knows nothing of OAuth. It is the only package that reads the environment. It doesn't link
// SQLite; a process that needs SQLite opens it itself and passes the database in Deps.
package servicekit
