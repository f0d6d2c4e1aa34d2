package pqguard_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// openWith returns a pool of at most most connections to the database at url.
func openWith(t *testing.T, url string, most int, o pqguard.Options) *sql.DB {
	t.Helper()
	dsn, err := pqguard.DSN(url)
	require.NoError(t, err)
	connector, err := pqguard.New(dsn, dsn, o)
	require.NoError(t, err)

	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// query runs a statement that returns one value.
func query(t *testing.T, db *sql.DB, statement string, args ...any) (value string) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), statement, args...).Scan(&value))
	return value
}

func exec(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
}

// prepared returns how many statements the only connection of db has prepared.
func prepared(t *testing.T, db *sql.DB) string {
	t.Helper()
	return query(t, db, `SELECT count(*) FROM pg_prepared_statements`)
}

func TestAStatementIsPreparedOnceAndTakesOneRoundTripFromThenOn(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	proxy := testkit.NewProxy(t, url)
	db := openWith(t, proxy.URL(t, url), 1, pqguard.Options{})
	require.Equal(t, "0", prepared(t, db), "without parameters nothing is prepared")

	trips := func(f func()) int {
		before := proxy.RoundTrips()
		f()
		return proxy.RoundTrips() - before
	}
	require.Equal(t, 2, trips(func() { query(t, db, `SELECT 1 + $1::int`, 1) }), "the first time it is prepared")
	require.Equal(t, 1, trips(func() { query(t, db, `SELECT 1 + $1::int`, 2) }))
	require.Equal(t, 1, trips(func() { exec(t, db, `SELECT 1 + $1::int`, 3) }), "with the same preparation")
	require.Equal(t, "1", prepared(t, db))

	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 1, trips(func() {
		_, err = tx.ExecContext(t.Context(), `SELECT 2 + $1::int`, 1)
		require.NoError(t, err)
	}))
	require.NoError(t, tx.Commit())
	require.Equal(t, "1", prepared(t, db), "in a transaction nothing is prepared")
}

func TestNothingIsPreparedWhereItIsNeverWanted(t *testing.T) {
	db := openWith(t, testkit.PostgresServer(t).NewDatabase(t), 1, pqguard.Options{Prepare: pqguard.PrepareNever})
	require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
	require.Equal(t, "0", prepared(t, db))
}

func TestInventedStatementsDontFillTheServersMemory(t *testing.T) {
	db := openWith(t, testkit.PostgresServer(t).NewDatabase(t), 1, pqguard.Options{})
	const often = `SELECT 'often' || $1::text`
	for i := range 300 {
		query(t, db, fmt.Sprintf(`SELECT %d + $1::int`, i), 1)
		query(t, db, often, "")
	}

	query(t, db, `SELECT $1::text || '`+strings.Repeat("x", 20_000)+`'`, "")
	require.Equal(t, "256", prepared(t, db))
	require.Equal(t, "1", query(t, db, `SELECT count(*) FROM pg_prepared_statements
		WHERE statement LIKE '%often%' AND generic_plans + custom_plans = 300`), "what is used stays")
}

func TestAStatementThatTheServerForgotIsPreparedAnew(t *testing.T) {
	db := openWith(t, testkit.PostgresServer(t).NewDatabase(t), 1, pqguard.Options{})
	for _, forget := range []string{`DISCARD ALL`, `DEALLOCATE ALL`} {
		require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
		exec(t, db, forget)
		require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1), forget)
		require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1), forget)
		require.Equal(t, "1", prepared(t, db), forget)
	}
}

func TestAPreparedStatementFollowsTheSearchPathAndTheRole(t *testing.T) {
	db := openWith(t, testkit.PostgresServer(t).NewDatabase(t), 1, pqguard.Options{})
	for _, schema := range []string{"one", "two"} {
		exec(t, db, fmt.Sprintf(`CREATE SCHEMA %s; CREATE TABLE %[1]s.place AS SELECT '%[1]s' AS name`, schema))
	}

	for _, schema := range []string{"one", "two", "one"} {
		exec(t, db, `SET search_path = `+schema)
		require.Equal(t, schema, query(t, db, `SELECT name || $1::text FROM place`, ""))
	}

	exec(t, db, `SET ROLE pg_monitor`)
	_, err := db.ExecContext(t.Context(), `SELECT name || $1::text FROM place`, "")
	require.Error(t, err, "that role may not use the schema")
}

func TestAMistakeInAStatementIsReportedAsEver(t *testing.T) {
	db := openWith(t, testkit.PostgresServer(t).NewDatabase(t), 1, pqguard.Options{})
	for statement, want := range map[string]string{
		`SELECT absent + $1::int`: "42703",
		`SELECT 1 / $1::int`:      "22012",
		`SELECT $1::int`:          "22003",
	} {
		for range 2 {
			_, err := db.ExecContext(t.Context(), statement, map[bool]string{true: "9999999999", false: "0"}[want == "22003"])
			require.ErrorContains(t, err, want)
		}
	}
	require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
}

// readAndWrite uses a row of things, outside a transaction and within one.
func readAndWrite(ctx context.Context, db *sql.DB, id int) error {
	const read, write = `SELECT n, id FROM things WHERE id = $1`, `UPDATE things SET n = $2 WHERE id = $1`
	var n, found string
	if err := db.QueryRowContext(ctx, read, id).Scan(&n, &found); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if _, err := db.ExecContext(ctx, write, id, n); err != nil {
		return fmt.Errorf("write: %w", err)
	}

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	if err := tx.QueryRowContext(ctx, read, id).Scan(&n, &found); err != nil {
		return fmt.Errorf("read in a transaction: %w", err)
	}
	if _, err := tx.ExecContext(ctx, write, id, n); err != nil {
		return fmt.Errorf("write in a transaction: %w", err)
	}
	return tx.Commit()
}

// A plan made before a migration fails afterwards if a column that it returns, or compares with
// a parameter, has another type.
func TestAMigrationUnderLoadCostsNobodyAnError(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	owner := openWith(t, url, 1, pqguard.Options{})
	exec(t, owner, `CREATE TABLE things AS SELECT id, id * 10 AS n FROM generate_series(1, 8) AS id`)
	db := openWith(t, url, 8, pqguard.Options{})

	done := make(chan struct{})
	rounds := make(chan int, 1024)
	errs := make([]error, 8)
	var working sync.WaitGroup
	for i := range errs {
		working.Go(func() {
			for {
				select {
				case <-done:
					return
				case rounds <- i:
				}
				errs[i] = errors.Join(errs[i], readAndWrite(t.Context(), db, i+1))
			}
		})
	}

	worked := func() { // some rounds begin and end between two steps
		for range 100 {
			<-rounds
		}
	}
	for _, step := range []string{
		`ADD COLUMN note text`, `ALTER n TYPE bigint`, `ALTER id TYPE bigint`, `ALTER n TYPE text`, `ALTER id TYPE text`,
		`DROP COLUMN note`,
	} {
		worked()
		exec(t, owner, `ALTER TABLE things `+step)
	}

	worked()
	close(done)
	working.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestAParameterGrowsWithItsColumn(t *testing.T) {
	db := openWith(t, testkit.PostgresServer(t).NewDatabase(t), 1, pqguard.Options{})
	exec(t, db, `CREATE TABLE things AS SELECT 1 AS n`)
	exec(t, db, `UPDATE things SET n = $1`, 2)
	exec(t, db, `ALTER TABLE things ALTER n TYPE bigint`)
	for range 2 {
		exec(t, db, `UPDATE things SET n = $1`, 3_000_000_000)
	}
	require.Equal(t, "3000000000", query(t, db, `SELECT n FROM things`))
}

func TestAPoolerThatLosesStatementsGetsNone(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	through := testkit.PgBouncer(t, server)(server.LoginURL(t, url, "platform_token"))

	var log bytes.Buffer
	var together sync.WaitGroup
	pools := make([]*sql.DB, 4)
	errs := make([]error, len(pools))
	for i := range pools {
		o := pqguard.Options{}
		if i == 0 {
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		}
		pools[i] = openWith(t, through, 4, o)
	}

	// Each pool numbers its own statements from one, so prepared ones would be confused.
	for i, db := range pools {
		together.Go(func() {
			for range 50 {
				var got int
				errs[i] = db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT %d + $1::int`, i), 10).Scan(&got)
				if errs[i] == nil && got != i+10 {
					errs[i] = fmt.Errorf("another statement was executed: %d", got)
				}
				if errs[i] != nil {
					return
				}
			}
		})
	}

	together.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, strings.Count(log.String(), "not prepared"), log.String())

	strict := openWith(t, through, 1, pqguard.Options{Prepare: pqguard.PrepareAlways})
	require.ErrorIs(t, strict.PingContext(t.Context()), pqguard.ErrUnkept)
}
