// Package database opens the platform's database, PostgreSQL or SQLite, and
// gives both one face: named statements with $1 placeholders, transactions,
// times that are UTC in microseconds, JSON columns, errors that tell whether
// trying again may help, migrations and the rights of every service's role.
//
// It holds no query: SQL stands with the table's only writer. It links no
// SQLite either; [github.com/platform-oauth/platform-oauth/libs/database/sqlite]
// does, so that a service on its own does not carry an engine it never uses.
package database
