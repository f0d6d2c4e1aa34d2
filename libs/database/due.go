package database

import (
	"context"
	"strings"
	"time"
)

// Due returns a condition on a key of a table, such as IN (…), that selects at most $2 rows for
// which due holds. due is a condition on $1 that begins with the column of an index.
//
// Rows are selected oldest first: without an order the server would read the table from its
// beginning, past everything that has been removed before. On PostgreSQL the rows are locked
// and rows locked by another replica are skipped, so that neither waits. There the keys are an
// array, computed once: as a joined subquery they might be computed again for each row, and the
// batch could grow.
func (db *DB) Due(table, key, due string) string {
	column, _, _ := strings.Cut(due, " ")
	keys := "SELECT " + key + " FROM " + table + " WHERE " + due + " ORDER BY " + column + " LIMIT $2"
	if db.dialect == Postgres {
		return "= ANY (ARRAY(" + keys + " FOR UPDATE SKIP LOCKED))"
	}
	return "IN (" + keys + ")"
}

// DeleteDue removes at most batch rows of a table for which due (see [DB.Due]) holds at the
// given time, and returns how many. key is the table's primary key.
func (db *DB) DeleteDue(ctx context.Context, table, key, due string, at time.Time, batch int) (int, error) {
	n, err := db.Exec(ctx, table+".expire",
		"DELETE FROM "+table+" WHERE "+key+" "+db.Due(table, key, due), At(at), batch)
	if err == nil {
		db.obs.expired(ctx, table, n, batch)
	}
	return int(n), err
}
