package database

import (
	"context"
	_ "embed"
	"fmt"
)

//go:embed roles.sql
var rolesSQL string

//go:embed rollout.sql
var rolloutSQL string

// ApplyRoles gives every service's group role exactly the rights in roles.sql, and creates
// missing roles. It may be repeated and called concurrently. It works on PostgreSQL only, since
// SQLite has no roles. The caller must own the tables and, if a role is missing, be allowed to
// create roles.
func ApplyRoles(ctx context.Context, db *DB) error { return applyRoles(ctx, db, rolesSQL) }

// ApplyRolesForRollout is ApplyRoles for the time in which replicas of the version before still
// run: it also gives the roles the rights that only those replicas use, as rollout.sql lists
// them. Until ApplyRoles takes those back, what they allow isn't prevented.
func ApplyRolesForRollout(ctx context.Context, db *DB) error {
	return applyRoles(ctx, db, rolesSQL+rolloutSQL)
}

func applyRoles(ctx context.Context, db *DB, statements string) error {
	if db.dialect != Postgres {
		return fmt.Errorf("database: %s has no roles", db.dialect)
	}

	// Without arguments the driver sends all statements in one message.
	return db.Tx(ctx, "database.roles", func(tx *Tx) error {
		_, err := tx.Exec(ctx, "database.roles", statements)
		return err
	})
}
