package testkit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

// OnEachDatabase runs f twice, in subtests "sqlite" and "postgres", each on a fresh
// migrated database that is removed afterwards.
func OnEachDatabase(t *testing.T, f func(t *testing.T, db *database.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// OnTwoReplicas is OnEachDatabase for tests that need two processes: both handles are of the
// same database, each with its own connections.
func OnTwoReplicas(t *testing.T, f func(t *testing.T, one, other *database.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		path := sqliteFile(t)
		f(t, openSQLite(t, path), openSQLite(t, path))
	})
	t.Run("postgres", func(t *testing.T) {
		url := PostgresServer(t).NewDatabase(t)
		f(t, OpenPostgres(t, url), OpenPostgres(t, url))
	})
}

// SQLite opens a fresh migrated SQLite file.
func SQLite(t testing.TB) *database.DB {
	t.Helper()
	return openSQLite(t, sqliteFile(t))
}

// sqliteFile makes a fresh migrated file and returns its path.
func sqliteFile(t testing.TB) string {
	t.Helper()
	content, err := migratedSQLite()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "platform.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func openSQLite(t testing.TB, path string) *database.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// migratedSQLite returns the content of a migrated file. It is made only once, because
// under the race detector the migrations take longer than most tests.
var migratedSQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "platform-testkit-sqlite-")
	if err != nil {
		return nil, err
	}

	defer func() { _ = os.RemoveAll(dir) }()
	ctx, path := context.Background(), filepath.Join(dir, "platform.db")
	db, err := sqlite.Open(ctx, path, database.Options{})
	if err != nil {
		return nil, err
	}

	_, _, err = database.Migrate(ctx, db, nil)
	// Closing the last connection writes everything into the file.
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}

	return os.ReadFile(path) //nolint:gosec // our own file
})

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
