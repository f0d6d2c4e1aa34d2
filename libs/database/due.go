package database

import (
	"context"
	"time"
)

// DeleteDue removes at most batch rows of a table for which due, a condition on
// $1, holds at the given time, and says how many it was; key is the table's
// primary key. On PostgreSQL rows that another replica removes at the same moment
// are skipped, so neither waits; and the keys are an array, found once: as a
// joined subquery they might be sought anew for each row, and the batch grow.
func (db *DB) DeleteDue(ctx context.Context, table, key, due string, at time.Time, batch int) (int, error) {
	keys := "SELECT " + key + " FROM " + table + " WHERE " + due + " LIMIT $2"
	if db.dialect == Postgres {
		keys = "= ANY (ARRAY(" + keys + " FOR UPDATE SKIP LOCKED))"
	} else {
		keys = "IN (" + keys + ")"
	}
	n, err := db.Exec(ctx, table+".expire", "DELETE FROM "+table+" WHERE "+key+" "+keys, At(at), batch)
	if err == nil {
		db.obs.expired(ctx, table, n, batch)
	}
	return int(n), err
}
