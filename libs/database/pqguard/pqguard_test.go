package pqguard_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// open returns a pool of guarded connections to the database at url.
func open(t *testing.T, url string, patience time.Duration) *sql.DB {
	t.Helper()
	dsn, err := pqguard.DSN(url)
	require.NoError(t, err)
	connector, err := pqguard.New(dsn, dsn, pqguard.Options{Patience: patience})
	require.NoError(t, err)

	db := sql.OpenDB(connector)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestAStatementWhoseConnectionBreaksIsReportedLost(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	direct, proxy := open(t, url, 0), testkit.NewProxy(t, url)
	db := open(t, proxy.URL(t, url), 0)
	running := func() (n int) {
		const count = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()`
		require.NoError(t, direct.QueryRowContext(t.Context(), count).Scan(&n))
		return n
	}

	done := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(t.Context(), `SELECT pg_sleep($1)`, 0.5)
		done <- err
	}()
	require.Eventually(t, func() bool { return running() == 1 }, testkit.Patience, time.Millisecond)
	proxy.Cut()
	proxy.Heal()

	require.ErrorIs(t, <-done, pqguard.ErrLost)
	_, err := db.ExecContext(t.Context(), `SELECT 1`)
	require.NoError(t, err, "a new connection takes over")
}

func TestAHostThatIsNotAsAskedForIsNoPrimary(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db := open(t, url+"&target_session_attrs=standby", 0)
	require.ErrorIs(t, db.PingContext(t.Context()), pqguard.ErrNoPrimary)
}

func TestASilentServerCostsAStatementItsPatience(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	proxy := testkit.NewProxy(t, url)
	db := open(t, proxy.URL(t, url), 100*time.Millisecond)
	require.NoError(t, db.PingContext(t.Context()))

	proxy.Hang()
	t.Cleanup(proxy.Heal)
	_, err := db.ExecContext(context.WithoutCancel(t.Context()), `SELECT 1`)
	require.Error(t, err, "without a deadline of its own it would wait for ever")
}

func TestACallerPreparesNothingItself(t *testing.T) {
	db := open(t, testkit.PostgresServer(t).NewDatabase(t), 0)
	statement, err := db.PrepareContext(t.Context(), `SELECT 1`)
	require.ErrorContains(t, err, "prepares its statements itself")
	require.Nil(t, statement)
}
