package database_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// schemaVersion is the newest file in migrations/.
const schemaVersion = 15

// onEachEmptyDatabase gives f a way to open handles of its own to one database
// without a schema, as separate processes would.
func onEachEmptyDatabase(t *testing.T, f func(t *testing.T, open func() *database.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "platform.db")
		f(t, func() *database.DB {
			db, err := sqlite.Open(t.Context(), path, database.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db
		})
	})

	t.Run("postgres", func(t *testing.T) {
		url := testkit.PostgresServer(t).EmptyDatabase(t)
		f(t, func() *database.DB { return testkit.OpenPostgres(t, url) })
	})
}

func TestMigrateTellsFromWhichVersionToWhich(t *testing.T) {
	onEachEmptyDatabase(t, func(t *testing.T, open func() *database.DB) {
		db := open()
		require.Equal(t, &database.SchemaError{Have: 0, Need: schemaVersion}, db.CheckSchema(t.Context()))
		require.ErrorContains(t, db.CheckSchema(t.Context()),
			fmt.Sprintf("at version 0, this build needs version %d", schemaVersion))

		from, to, err := database.Migrate(t.Context(), db, testkit.Logger(t))
		require.NoError(t, err)
		require.EqualValues(t, 0, from)
		require.EqualValues(t, schemaVersion, to)
		require.NoError(t, db.CheckSchema(t.Context()))

		from, to, err = database.Migrate(t.Context(), db, testkit.Logger(t))
		require.NoError(t, err)
		require.EqualValues(t, schemaVersion, from)
		require.EqualValues(t, schemaVersion, to)
	})
}

func TestFiftyMigrationsAtOnceDoTheWorkOnce(t *testing.T) {
	onEachEmptyDatabase(t, func(t *testing.T, open func() *database.DB) {
		const replicas = 50
		handles := make([]*database.DB, replicas)
		for i := range handles {
			handles[i] = open()
		}

		var worked atomic.Int64
		errs := together(replicas, func(i int) error {
			from, to, err := database.Migrate(t.Context(), handles[i], nil)
			if err == nil && from != to {
				worked.Add(1)
			}
			return errors.Join(err, handles[i].CheckSchema(t.Context()))
		})

		require.NoError(t, errors.Join(errs...))
		require.EqualValues(t, 1, worked.Load())
		addTenant(t, handles[0], "a")
	})
}

func TestASchemaOfANewerBuildIsLeftAlone(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		_, err := db.Exec(t.Context(), "test.newer",
			`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`)
		require.NoError(t, err)
		require.NoError(t, db.CheckSchema(t.Context()))
		from, to, err := database.Migrate(t.Context(), db, nil)
		require.NoError(t, err)
		require.EqualValues(t, 99, from)
		require.EqualValues(t, 99, to)
	})
}

func TestAMigrationThatWaitsEndsWithItsContext(t *testing.T) {
	onEachEmptyDatabase(t, func(t *testing.T, open func() *database.DB) {
		db := open()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		release := database.HoldMigrationLock(t, open())
		_, _, err := database.Migrate(ctx, db, nil)
		requireKind(t, database.KindTimeout, err)

		release()
		_, to, err := database.Migrate(t.Context(), db, nil)
		require.NoError(t, err)
		require.EqualValues(t, schemaVersion, to)
	})
}

func TestAMigrationThatFailsLeavesNothingBehind(t *testing.T) {
	files := fstest.MapFS{
		"00001_good.sql": {Data: []byte("-- +goose Up\nCREATE TABLE one (id text PRIMARY KEY);\n")},
		"00002_bad.sql":  {Data: []byte("-- +goose Up\nCREATE TABLE two (id text PRIMARY KEY);\nINSERT INTO nowhere VALUES (1);\n")},
	}
	onEachEmptyDatabase(t, func(t *testing.T, open func() *database.DB) {
		db := open()
		_, _, err := database.MigrateFiles(t.Context(), db, files)
		require.ErrorContains(t, err, "nowhere")
		require.NotContains(t, tables(t, db), "two")
		require.Contains(t, tables(t, db), "one")

		files := fstest.MapFS{
			"00001_good.sql": files["00001_good.sql"],
			"00002_good.sql": {Data: []byte("-- +goose Up\nCREATE TABLE two (id text PRIMARY KEY);\n")},
			"00003_good.sql": {Data: []byte("-- +goose Up\nCREATE TABLE three (id text PRIMARY KEY);\n")},
		}

		from, to, err := database.MigrateFiles(t.Context(), db, files)
		require.NoError(t, err, "the lock is free, the work goes on")
		require.EqualValues(t, 1, from)
		require.EqualValues(t, 3, to)
	})
}

func TestBothDialectsHaveTheSameTablesAndColumns(t *testing.T) {
	lite, pg := testkit.SQLite(t), testkit.Postgres(t)
	require.Equal(t, tables(t, pg), tables(t, lite))
	var ofLite, ofPG []string
	require.NoError(t,
		lite.Select(t.Context(), "test.columns", &ofLite,
			`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`))
	require.NoError(t,
		pg.Select(t.Context(), "test.columns", &ofPG,
			`SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND NOT (SELECT relispartition FROM pg_class WHERE oid = table_name::regclass) AND table_name <> 'goose_db_version'`))
	require.ElementsMatch(t, ofPG, ofLite)
}

func tables(t *testing.T, db *database.DB) []string {
	t.Helper()
	query := `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname COLLATE "C"`
	if db.Dialect() == database.SQLite {
		query = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`
	}

	var names []string
	require.NoError(t, db.Select(t.Context(), "test.tables", &names, query))
	return names
}

// The test starts itself again, only to take the lock and to be killed.
const childVariable = "PLATFORM_DATABASE_LOCK"

func TestAMigrationThatWasKilledBlocksNobody(t *testing.T) {
	if path := os.Getenv(childVariable); path != "" {
		db, err := sqlite.Open(t.Context(), path, database.Options{})
		require.NoError(t, err)
		database.HoldMigrationLock(t, db)
		_, _ = os.Stdout.WriteString("held\n")
		select {} // until killed
	}

	path := filepath.Join(t.TempDir(), "platform.db")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childVariable+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "held" {
	}

	db, err := sqlite.Open(t.Context(), path, database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = database.Migrate(ctx, db, nil)
	requireKind(t, database.KindTimeout, err)

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	_, to, err := database.Migrate(t.Context(), db, nil)
	require.NoError(t, err)
	require.EqualValues(t, schemaVersion, to)
}
