package database

import (
	"context"
	_ "embed"
	"fmt"
)

//go:embed roles.sql
var rolesSQL string

// ApplyRoles gives every service's group role exactly the rights that roles.sql
// names, and makes the roles that are missing. It may be repeated, by many at
// once. PostgreSQL only: SQLite has no roles. The caller must own the tables
// and, where a role is missing, be allowed to make roles.
func ApplyRoles(ctx context.Context, db *DB) error {
	if db.dialect != Postgres {
		return fmt.Errorf("database: %s has no roles", db.dialect)
	}

	// Without arguments the driver sends all statements in one message.
	return db.Tx(ctx, "database.roles", func(tx *Tx) error {
		_, err := tx.Exec(ctx, "database.roles", rolesSQL)
		return err
	})
}
