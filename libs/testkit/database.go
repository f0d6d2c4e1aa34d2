package testkit

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

// OnEachDatabase runs f twice, in subtests "sqlite" and "postgres", each on a
// fresh migrated database that is gone afterwards.
func OnEachDatabase(t *testing.T, f func(t *testing.T, db *database.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// SQLite opens a fresh migrated SQLite file.
func SQLite(t testing.TB) *database.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "platform.db"), database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, _, err = database.Migrate(t.Context(), db, nil)
	require.NoError(t, err)
	return db
}

// Postgres opens a fresh migrated PostgreSQL database, as its owner.
func Postgres(t testing.TB) *database.DB {
	t.Helper()
	return OpenPostgres(t, PostgresServer(t).NewDatabase(t))
}

// OpenPostgres opens the database at url until the end of the test.
func OpenPostgres(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Options{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
