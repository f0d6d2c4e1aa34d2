package testkit

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Rows counts the rows of every table, so that a test can check that an operation wrote
// nothing at all.
func Rows(t testing.TB, db *database.DB) map[string]int {
	t.Helper()
	tables := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if db.Dialect() == database.Postgres {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	}

	var names []string
	require.NoError(t, db.Select(context.Background(), "test.tables", &names, tables))
	require.NotEmpty(t, names)

	rows := map[string]int{}
	for _, name := range names {
		var n int
		require.NoError(t, db.Get(context.Background(), "test.count", &n, `SELECT count(*) FROM `+name))
		rows[name] = n
	}

	return rows
}
