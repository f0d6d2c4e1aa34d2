// Package servicekit contains what every process of the platform needs to start: logs, traces
// and metrics, the database and the signing keys, the public and the admin listener, health,
// background tasks under one cancellation cause, draining, and Main, the whole main function of
// a service.
//
// It knows nothing of OAuth. Package config says what can be set; only Main here passes it the
// environment. It doesn't link SQLite; a process that needs SQLite opens it itself and passes
// the database in Deps.
package servicekit
