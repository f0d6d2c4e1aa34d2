// Package sqlite opens a SQLite file as a [database.DB]: write-ahead log, foreign keys, one
// writer that takes its lock at the start of a transaction, and concurrent readers. Only the
// platform binary and tests link it.
package sqlite
