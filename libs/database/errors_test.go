package database_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// endless is a statement that only its deadline ends.
func endless(d database.Dialect) string {
	if d == database.Postgres {
		return `SELECT 1 FROM pg_sleep(600)`
	}
	return `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`
}

func requireKind(t *testing.T, want database.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, database.Classify(t.Context(), err), err.Error())
	again := want == database.KindUnavailable || want == database.KindTimeout || want == database.KindCanceled
	require.Equal(t, again, unavailable(t, err))
}

func TestFaultsSayWhatTheyMean(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		addTenant(t, db, "a")
		var n int

		t.Run("a taken unique key is a conflict", func(t *testing.T) {
			_, err := db.Exec(t.Context(), "test.insert", insertTenant, "b", "slug-a", "B", database.At(start))
			requireKind(t, database.KindConflict, err)
		})
		t.Run("a taken primary key is a conflict", func(t *testing.T) {
			_, err := db.Exec(t.Context(), "test.insert", insertTenant, "a", "slug-b", "B", database.At(start))
			requireKind(t, database.KindConflict, err)
		})
		t.Run("a deadline in mid-statement is a timeout", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := db.Get(ctx, "test.endless", &n, endless(db.Dialect()))
			requireKind(t, database.KindTimeout, err)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})

		t.Run("a deadline that has passed is a timeout", func(t *testing.T) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			requireKind(t, database.KindTimeout, db.Get(ctx, "test.get", &n, `SELECT 1`))
		})

		t.Run("a caller who goes away cancels", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			timer := time.AfterFunc(50*time.Millisecond, cancel)
			defer timer.Stop()
			err := db.Get(ctx, "test.endless", &n, endless(db.Dialect()))
			requireKind(t, database.KindCanceled, err)
			require.ErrorIs(t, err, context.Canceled)
		})

		t.Run("a transaction cannot start after its deadline", func(t *testing.T) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			err := db.Tx(ctx, "test.tx", func(*database.Tx) error { panic("not reached") })
			requireKind(t, database.KindTimeout, err)
		})

		t.Run("a mistake is none of these", func(t *testing.T) {
			requireKind(t, database.KindOther, db.Get(t.Context(), "test.typo", &n, `SELECT nothing FROM nowhere`))
		})
		t.Run("the connection is good again after all that", func(t *testing.T) {
			require.NoError(t, db.Get(t.Context(), "test.get", &n, `SELECT 1`))
		})
	})
}

func TestAClosedDatabaseIsUnavailable(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	for name, open := range map[string]func() (*database.DB, error){
		"postgres": func() (*database.DB, error) { return database.Open(t.Context(), database.Options{URL: url}) },
		"sqlite": func() (*database.DB, error) {
			return sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), database.Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := open()
			require.NoError(t, err)
			require.NoError(t, db.Close())
			requireKind(t, database.KindUnavailable, db.Ping(t.Context()))
		})
	}
}

func TestAStoppedServerIsUnavailable(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	url := server.URL("postgres")
	db := testkit.OpenPostgres(t, url)
	var n int
	asleep := make(chan error, 1)
	go func() { asleep <- db.Get(t.Context(), "test.endless", &n, endless(db.Dialect())) }()
	watch := testkit.OpenPostgres(t, url)
	require.Eventually(t, func() bool {
		return watch.Get(t.Context(), "test.watch", &n,
			`SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active' AND pid <> pg_backend_pid()`) == nil
	}, testkit.Patience, 10*time.Millisecond)
	server.Stop()

	requireKind(t, database.KindUnavailable, <-asleep)
	requireKind(t, database.KindUnavailable, db.Get(t.Context(), "test.get", &n, `SELECT 1`))
	requireKind(t, database.KindUnavailable, db.Tx(t.Context(), "test.tx", func(*database.Tx) error { return nil }))
	requireKind(t, database.KindUnavailable, db.Ping(t.Context()))
	_, err := database.Open(t.Context(), database.Options{URL: url})
	requireKind(t, database.KindUnavailable, err)
}

func TestPostgresFaultsOfItsOwn(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, url)
	addTenant(t, db, "a")
	var n int
	tests := map[string]struct {
		options string
		query   string
		want    database.Kind
	}{
		"a standby is read-only": {
			"&default_transaction_read_only=on", `UPDATE tenants SET name = 'x' RETURNING 1`, database.KindUnavailable,
		},
		"the server's own timeout": {
			"&statement_timeout=50", endless(database.Postgres), database.KindTimeout,
		},
		"a backend that an operator ends": {
			"", `SELECT 1 FROM pg_terminate_backend(pg_backend_pid())`, database.KindUnavailable,
		},
		"a lock that isn't waited for":      {"", `SELECT 1 FROM tenants FOR UPDATE NOWAIT`, database.KindTimeout},
		"data that the schema does not fit": {"", `UPDATE tenants SET name = NULL RETURNING 1`, database.KindOther},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			own := testkit.OpenPostgres(t, url+test.options)
			require.NoError(t, db.Tx(t.Context(), "test.lock", func(tx *database.Tx) error {
				require.NoError(t, tx.Get(t.Context(), "test.lock", &n, `SELECT 1 FROM tenants FOR UPDATE`))
				requireKind(t, test.want, own.Returning(t.Context(), "test.fault", &n, test.query))
				return nil
			}))
		})
	}

	t.Run("too many connections", func(t *testing.T) {
		login := server.LoginURL(t, url, "platform_keys")
		first := testkit.OpenPostgres(t, login)
		_, err := db.Exec(t.Context(), "test.limit", `ALTER ROLE `+currentUser(t, first)+` CONNECTION LIMIT 1`)
		require.NoError(t, err)
		_, err = database.Open(t.Context(), database.Options{URL: login})
		requireKind(t, database.KindUnavailable, err)
	})
}

func TestPostgresCodesByClass(t *testing.T) {
	for code, want := range map[string]database.Kind{
		"23505": database.KindConflict,
		"23P01": database.KindConflict,
		"23503": database.KindOther,
		"57014": database.KindTimeout,
		"55P03": database.KindTimeout,
		"40001": database.KindUnavailable,
		"40P01": database.KindUnavailable,
		"25006": database.KindUnavailable,
		"53300": database.KindUnavailable,
		"57P01": database.KindUnavailable,
		"57P03": database.KindUnavailable,
		"08006": database.KindUnavailable,
		"42501": database.KindOther,
		"":      database.KindOther,
	} {
		require.Equal(t, want, database.Classify(t.Context(), &pq.Error{Code: pqerror.Code(code)}), code)
	}

	require.Equal(t, database.KindNone, database.Classify(t.Context(), nil))
	require.Equal(t, database.KindOther, database.Classify(t.Context(), errors.New("what?")))
}

func TestErrorsShowNoData(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		const insert = `INSERT INTO users (id, email, created_at, updated_at) VALUES ($1, $2, $3, $3)`
		_, err := db.Exec(t.Context(), "test.insert", insert, "u", "ada@example.com", database.At(start))
		require.NoError(t, err)
		_, err = db.Exec(t.Context(), "test.insert", insert, "v", "ada@example.com", database.At(start))
		requireKind(t, database.KindConflict, err)
		require.NotContains(t, err.Error(), "ada")
	})
}

func TestAFactAboutRowsStandsEvenWhenTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, database.KindNotFound, database.Classify(ctx, sql.ErrNoRows))
	require.Equal(t, database.KindConflict, database.Classify(ctx, &pq.Error{Code: "23505"}))
	require.Equal(t, database.KindCanceled, database.Classify(ctx, &pq.Error{Code: "57014"}))
	require.Equal(t, database.KindCanceled, database.Classify(ctx, errors.New("what?")))
}

func TestSQLiteFaultsOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	open := func() *database.DB {
		db, err := sqlite.Open(t.Context(), path, database.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}

	db, other := open(), open()
	_, _, err := database.Migrate(t.Context(), db, nil)
	require.NoError(t, err)
	var n int

	t.Run("reads refuse to write", func(t *testing.T) {
		requireKind(t, database.KindUnavailable,
			db.Get(t.Context(), "test.read", &n, `UPDATE tenants SET name = 'x' RETURNING 1`))
	})
	t.Run("a lock of another process is waited for until the deadline", func(t *testing.T) {
		require.NoError(t, db.Tx(t.Context(), "test.tx", func(*database.Tx) error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := other.Exec(ctx, "test.write", `UPDATE tenants SET name = 'x'`)
			requireKind(t, database.KindTimeout, err)
			return nil
		}))
	})

	t.Run("readers never wait", func(t *testing.T) {
		require.NoError(t, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
			addTenant(t, tx, "a")
			return other.Get(t.Context(), "test.read", &n, `SELECT count(*) FROM tenants`)
		}))
	})

	t.Run("a folder that cannot be made", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		_, err := sqlite.Open(t.Context(), filepath.Join(file, "platform.db"), database.Options{})
		require.Error(t, err)
	})
}

func currentUser(t *testing.T, db *database.DB) string {
	t.Helper()
	var name string
	require.NoError(t, db.Get(t.Context(), "test.user", &name, `SELECT current_user`))
	return name
}
