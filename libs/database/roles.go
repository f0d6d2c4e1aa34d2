package database

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed roles.sql
var rolesSQL string

//go:embed rollout.sql
var rolloutSQL string

// ApplyRoles gives every service's group role exactly the rights in roles.sql, and creates
// missing roles. It may be repeated and called concurrently. It works on PostgreSQL only, since
// SQLite has no roles. The caller must own the tables and, if a role is missing, be allowed to
// create roles.
func ApplyRoles(ctx context.Context, db *DB) error { return applyRoles(ctx, db, nil) }

// ApplyRolesForRollout is ApplyRoles for the time in which replicas of the version before may
// still run: of the rights in rollout.sql, which only those replicas use, each role keeps those
// that it has. Until ApplyRoles takes them back, what they allow isn't prevented.
func ApplyRolesForRollout(ctx context.Context, db *DB) error {
	return applyRoles(ctx, db, granted(rolloutSQL))
}

// applyRoles gives the rights in roles.sql, and those of keep that a role already has.
func applyRoles(ctx context.Context, db *DB, keep []Right) error {
	if db.dialect != Postgres {
		return fmt.Errorf("database: %s has no roles", db.dialect)
	}

	return db.Tx(ctx, "database.roles", func(tx *Tx) error {
		statements := rolesSQL
		for _, r := range keep {
			has, err := r.held(ctx, tx)
			if err != nil {
				return err
			}
			if has {
				statements += r.grant()
			}
		}

		// Without arguments the driver sends all statements in one message.
		_, err := tx.Exec(ctx, "database.roles", statements)
		return err
	})
}

// held reports whether the role exists and has the right.
func (r Right) held(ctx context.Context, tx *Tx) (bool, error) {
	const (
		onTable  = `SELECT count(*) FROM pg_catalog.pg_roles r WHERE r.rolname = $1 AND has_table_privilege(r.oid, to_regclass($2), $3)`
		onColumn = `SELECT count(*) FROM pg_catalog.pg_roles r WHERE r.rolname = $1 AND has_column_privilege(r.oid, to_regclass($2), $4, $3)`
	)

	has := 0
	if r.Columns == nil {
		err := tx.Get(ctx, "database.right", &has, onTable, r.Role, r.Table, r.Verb)
		return has > 0, err
	}

	for _, column := range r.Columns {
		err := tx.Get(ctx, "database.right", &has, onColumn, r.Role, r.Table, r.Verb, column)
		if err != nil || has == 0 {
			return false, err
		}
	}

	return true, nil
}

// grant returns the statement that gives the right.
func (r Right) grant() string {
	columns := ""
	if r.Columns != nil {
		columns = " (" + strings.Join(r.Columns, ", ") + ")"
	}
	return fmt.Sprintf("GRANT %s%s ON %s TO %s;\n", r.Verb, columns, r.Table, r.Role)
}
