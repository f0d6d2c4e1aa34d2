package database

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// MigrateFiles is Migrate with other migrations.
func MigrateFiles(ctx context.Context, db *DB, files fs.FS) (from, to int64, err error) {
	return migrate(ctx, db, files, nil)
}

// HoldMigrationLock takes the lock that a migration takes.
func HoldMigrationLock(t *testing.T, db *DB) (release func()) {
	t.Helper()

	if db.lock != nil {
		unlock, err := db.lock(t.Context())
		require.NoError(t, err)
		return func() { require.NoError(t, unlock()) }
	}

	conn, err := db.writer.Conn(t.Context())
	require.NoError(t, err)
	require.NoError(t, advisoryLock{}.SessionLock(t.Context(), conn))
	return func() {
		require.NoError(t, advisoryLock{}.SessionUnlock(t.Context(), conn))
		require.NoError(t, conn.Close())
	}
}
