// Package database opens the platform's database, PostgreSQL or SQLite, and gives both one
// interface: named statements with $1 placeholders, transactions, times in UTC with microsecond
// precision, JSON columns, errors that say whether a retry may help, migrations, and the rights
// of every service's role.
//
// It contains no queries; the SQL for a table lives with the only package that writes it. It
// doesn't link SQLite either: [github.com/platform-oauth/platform-oauth/libs/database/sqlite]
// does, so that a service on its own doesn't carry an engine it never uses.
package database
