// Package sqlite opens a SQLite file as a [database.DB]: write-ahead log,
// foreign keys, one writer that takes its lock from the first moment of a
// transaction, and readers beside it. Nothing but the platform binary and tests
// link it.
package sqlite
