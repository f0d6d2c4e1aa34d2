// Package sqlstore keeps requests, codes, device codes and grants in the
// database, one store per service role (ForAuthorize, ForSession, ForToken,
// ForDevice): code cannot call what its database role may not do. What happens
// once is one conditional statement: a writable CTE on PostgreSQL, one IMMEDIATE
// transaction on SQLite.
package sqlstore
