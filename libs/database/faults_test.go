package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// soon is less than the ten seconds after which the driver alone would give up, and many
// times what a busy machine needs.
const soon = 9 * time.Second

// open opens a database with the options until the end of the test.
func open(t *testing.T, o database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func requireSoon(t *testing.T, kind database.Kind, f func() error) {
	t.Helper()
	began := time.Now()
	requireKind(t, kind, f())
	require.Less(t, time.Since(began), soon)
}

func TestAServerThatSaysNothingHoldsNobodyLongerThanItsDeadline(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	url := server.NewDatabase(t)
	proxy := testkit.NewProxy(t, url)
	for name, silence := range map[string]func() (end func()){
		"stopped":      func() func() { server.Pause(t); return func() { server.Resume(t) } },
		"a black hole": func() func() { proxy.Hang(); return proxy.Heal },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, database.Options{URL: proxy.URL(t, url), MaxOpen: 4, StatementTimeout: time.Second})
			within := func(f func(ctx context.Context) error) error {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				return f(ctx)
			}

			ping := func(ctx context.Context) error { return db.Ping(ctx) }
			write := func(ctx context.Context) error {
				_, err := db.Exec(ctx, "test.write", `UPDATE tenants SET name = $1`, "x")
				return err
			}
			transaction := func(ctx context.Context) error {
				return db.Tx(ctx, "test.tx", func(tx *database.Tx) error {
					_, err := tx.Exec(ctx, "test.write", `UPDATE tenants SET name = $1`, "x")
					return err
				})
			}

			require.NoError(t, ping(t.Context()))
			end := silence()
			defer end()

			// The first uses a connection there is, the others want new ones.
			for _, f := range []func(context.Context) error{write, transaction, write, ping, transaction} {
				requireSoon(t, database.KindTimeout, func() error { return within(f) })
			}

			requireSoon(t, database.KindUnavailable, func() error { return write(t.Context()) }) // by connect_timeout
			end()
			require.NoError(t, ping(t.Context()))
			require.NoError(t, transaction(t.Context()))

			silence()
			// by the statement's own bound
			requireSoon(t, database.KindUnavailable, func() error { return write(t.Context()) })
		})
	}
}

func TestWhatWasSentIsNotSentAgain(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	direct, proxy := testkit.OpenPostgres(t, url), testkit.NewProxy(t, url)
	db := open(t, database.Options{URL: proxy.URL(t, url)})
	running := func() (n int) {
		require.NoError(t,
			direct.Get(t.Context(), "test.running", &n,
				`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()`))
		return n
	}
	const slowInsert = `INSERT INTO revoked_tokens (jti, expires_at) SELECT gen_random_uuid()::text, now() FROM pg_sleep($1)`
	done := make(chan error, 1)
	go func() {
		_, err := db.Exec(t.Context(), "test.insert", slowInsert, 0.5)
		done <- err
	}()
	require.Eventually(t, func() bool { return running() == 1 }, testkit.Patience, time.Millisecond)
	proxy.Cut()
	proxy.Heal()
	requireKind(t, database.KindUnavailable, <-done)
	require.Eventually(t, func() bool { return running() == 0 }, testkit.Patience, 10*time.Millisecond)
	var rows int
	require.NoError(t, direct.Get(t.Context(), "test.count", &rows, `SELECT count(*) FROM revoked_tokens`))
	require.Equal(t, 1, rows)

	// A reading is harmless.
	var n float64
	go func() { done <- db.Get(t.Context(), "test.read", &n, `SELECT 1.5 FROM pg_sleep($1)`, 0.5) }()
	require.Eventually(t, func() bool { return running() == 1 }, testkit.Patience, time.Millisecond)
	proxy.Cut()
	proxy.Heal()
	require.NoError(t, <-done)
	require.InDelta(t, 1.5, n, 0)
}

func TestAfterARestartNobodyMeetsADeadConnection(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	db := open(t, database.Options{URL: server.NewDatabase(t), MaxOpen: 8})
	insert := func(i int) error {
		_, err := db.Exec(t.Context(), "test.insert",
			`INSERT INTO revoked_tokens (jti, expires_at) SELECT $1, now() FROM pg_sleep(0.05)`,
			fmt.Sprint(time.Now().UnixNano(), i))
		return err
	}
	require.NoError(t, errors.Join(together(8, insert)...), "all connections are open")
	server.Crash(t)

	for range 3 {
		requireSoon(t, database.KindUnavailable, func() error { return insert(0) })
	}

	server.Start(t)
	require.NoError(t, errors.Join(together(8, insert)...))

	require.NoError(t, errors.Join(together(8, insert)...))
	server.Crash(t)
	server.Start(t)
	require.NoError(t, errors.Join(together(8, insert)...), "none of those that died meanwhile was used")
}

func TestAServerThatBecameReadOnlyIsLeft(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	demote := func(on string) {
		_, err := owner.Exec(t.Context(), "test.demote",
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = `+on+
				`', current_database()); END $$`)
		require.NoError(t, err)
	}
	demote("on")
	db := open(t, database.Options{URL: url, MaxOpen: 1})
	write := func() error {
		_, err := db.Exec(t.Context(), "test.write", `UPDATE tenants SET name = $1`, "x")
		return err
	}
	requireKind(t, database.KindUnavailable, write())
	demote("off")
	require.NoError(t, write(), "by another connection")
}

func TestTheServerBoundsStatementsAndLocks(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db := open(t, database.Options{URL: url, StatementTimeout: 3 * time.Second, LockTimeout: 100 * time.Millisecond})
	addTenant(t, db, "a")
	settings := func(db *database.DB) (s string) {
		require.NoError(t, db.Get(t.Context(), "test.settings", &s,
			`SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout')`))
		return s
	}

	require.Equal(t, "3s 100ms 3s", settings(db))
	require.Equal(t, "0 0 0", settings(testkit.OpenPostgres(t, url)), "without the options there are none")
	require.Equal(t, "7s 100ms 3s", settings(open(t, database.Options{
		URL: url + "&statement_timeout=7000", StatementTimeout: 3 * time.Second, LockTimeout: 100 * time.Millisecond,
	})), "the URL has the last word")

	require.NoError(t, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
		_, err := tx.Exec(t.Context(), "test.hold", `UPDATE tenants SET name = 'x'`)
		require.NoError(t, err)
		requireSoon(t, database.KindTimeout, func() error {
			_, err := db.Exec(t.Context(), "test.wait", `UPDATE tenants SET name = 'y'`)
			return err
		})
		return nil
	}))
}

func TestAPoolerThatRefusesTimeoutsIsUsedWithoutThem(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	login := server.LoginURL(t, url, "platform_token")
	through := testkit.PgBouncer(t, server)
	var log bytes.Buffer
	o := database.Options{
		URL:              through(login),
		StatementTimeout: 3 * time.Second,
		LockTimeout:      time.Second,
		Logger:           slog.New(slog.NewTextHandler(&log, nil)),
	}

	db := open(t, o)
	require.Contains(t, log.String(), "ALTER ROLE")
	require.Contains(t, log.String(), "role=platform_token")
	requireSoon(t, database.KindUnavailable, func() error { // our own bound, for the server has none
		_, err := db.Exec(t.Context(), "test.sleep", `SELECT pg_sleep($1)`, 30)
		return err
	})

	// With the role's own timeouts there is nothing to say.
	o.URL = through(server.LoginURL(t, url, "platform_token", "statement_timeout = '1s'"))
	log.Reset()
	db = open(t, o)
	require.NotContains(t, log.String(), "ALTER ROLE")
	requireSoon(t, database.KindTimeout, func() error {
		_, err := db.Exec(t.Context(), "test.sleep", `SELECT pg_sleep($1)`, 30)
		return err
	})
}

func TestWhatTheServerTookBackIsTriedAgain(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db := testkit.OpenPostgres(t, url)
	addTenant(t, db, "a")
	addTenant(t, db, "b")
	update := func(tx *database.Tx, id string) error {
		_, err := tx.Exec(t.Context(), "test.update", `UPDATE tenants SET name = name || 'x' WHERE id = $1`, id)
		return err
	}
	// Each has one row and wants the other's.
	both := make(chan struct{})
	tries := [2]int{}
	require.NoError(t, errors.Join(together(2, func(i int) error {
		return db.TxAgain(t.Context(), "test.cross", func(tx *database.Tx) error {
			tries[i]++

			if err := update(tx, []string{"a", "b"}[i]); err != nil {
				return err
			}

			if tries[i] == 1 {
				select {
				case both <- struct{}{}:
				case <-both:
				}
			}

			return update(tx, []string{"b", "a"}[i])
		})
	})...))

	require.Equal(t, 3, tries[0]+tries[1])
	var name string
	require.NoError(t, db.Get(t.Context(), "test.name", &name, `SELECT name FROM tenants WHERE id = 'a'`))
	require.Equal(t, "Tenantxx", name, "each did its work once")

	count := 0
	err := db.TxAgain(t.Context(), "test.never", func(tx *database.Tx) error {
		count++
		_, err := tx.Exec(t.Context(), "test.raise", `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$`)
		return err
	})

	requireKind(t, database.KindUnavailable, err)
	require.Equal(t, 3, count)
	count = 0
	require.Error(t, db.Tx(t.Context(), "test.once", func(tx *database.Tx) error {
		count++
		_, err := tx.Exec(t.Context(), "test.raise", `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$`)
		return err
	}))

	require.Equal(t, 1, count)
}
