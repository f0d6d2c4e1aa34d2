// Package sqlstore keeps flows, codes, device codes and grants in the database. There is one
// store per service role (ForAuthorize, ForSession, ForToken, ForDevice), so code can't call
// what its database role isn't allowed to do. Anything that must happen only once is one
// conditional statement: a writable CTE on PostgreSQL, one IMMEDIATE transaction on SQLite.
package sqlstore
