package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

const insertTenant = `INSERT INTO tenants (id, slug, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)`

type tenant struct {
	ID        string        `db:"id"`
	Slug      string        `db:"slug"`
	SSOOnly   bool          `db:"sso_only"`
	CreatedAt database.Time `db:"created_at"`
}

func addTenant(t *testing.T, r database.Runner, id string) {
	t.Helper()
	n, err := r.Exec(t.Context(), "test.insert", insertTenant, id, "slug-"+id, "Tenant", database.At(start))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func tenantIDs(t *testing.T, r database.Runner) []string {
	t.Helper()
	var ids []string
	require.NoError(t, r.Select(t.Context(), "test.ids", &ids, `SELECT id FROM tenants ORDER BY id`))
	return ids
}

func TestStatementsReadAndWrite(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		addTenant(t, db, "a")
		addTenant(t, db, "b")

		var one tenant
		require.NoError(t,
			db.Get(t.Context(), "test.get", &one,
				`SELECT id, slug, sso_only, created_at FROM tenants WHERE id = $1`, "a"))
		require.Equal(t, tenant{ID: "a", Slug: "slug-a", CreatedAt: database.At(start)}, one)

		var count int
		require.NoError(t, db.Get(t.Context(), "test.count", &count, `SELECT count(*) FROM tenants`))
		require.Equal(t, 2, count)
		require.Equal(t, []string{"a", "b"}, tenantIDs(t, db))

		var all []tenant
		require.NoError(t,
			db.Select(t.Context(), "test.none", &all,
				`SELECT id, slug, sso_only, created_at FROM tenants WHERE id = 'nobody'`))
		require.Empty(t, all)

		require.NoError(t,
			db.Returning(t.Context(), "test.update", &one,
				`UPDATE tenants SET sso_only = true WHERE id = $1 RETURNING id, slug, sso_only, created_at`, "b"))
		require.Equal(t, tenant{
			ID:        "b",
			Slug:      "slug-b",
			SSOOnly:   true,
			CreatedAt: database.At(start),
		}, one)

		n, err := db.Exec(t.Context(), "test.delete", `DELETE FROM tenants`)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}

func TestNoRowIsErrNoRows(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		var one tenant
		err := db.Get(t.Context(), "test.get", &one, `SELECT id, slug FROM tenants WHERE id = 'nobody'`)
		require.ErrorIs(t, err, sql.ErrNoRows)
		require.ErrorContains(t, err, "test.get: ")
		require.False(t, unavailable(t, err))
		err = db.Returning(t.Context(), "test.update", &one,
			`UPDATE tenants SET name = 'x' WHERE id = 'nobody' RETURNING id, slug`)
		require.ErrorIs(t, err, sql.ErrNoRows)
	})
}

func TestAColumnWithoutAFieldIsAnError(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		addTenant(t, db, "a")
		var one struct {
			ID string `db:"id"`
		}
		err := db.Get(t.Context(), "test.get", &one, `SELECT id, slug FROM tenants`)
		require.ErrorContains(t, err, "slug")
		require.Equal(t, database.KindOther, database.Classify(t.Context(), err))
	})
}

func TestTransactionsAreAllOrNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		require.NoError(t, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
			addTenant(t, tx, "a")
			require.Equal(t, []string{"a"}, tenantIDs(t, tx), "a transaction reads what it wrote")
			require.Empty(t, tenantIDs(t, db), "the others don't")
			var id string
			return tx.Returning(t.Context(), "test.update", &id, `UPDATE tenants SET name = 'x' RETURNING id`)
		}))

		require.Equal(t, []string{"a"}, tenantIDs(t, db))

		own := errors.New("the caller's own")
		require.Equal(t, own, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
			addTenant(t, tx, "b")
			return own
		}), "comes back as it is")
		require.Panics(t, func() {
			_ = db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
				addTenant(t, tx, "c")
				panic("!")
			})
		})

		ctx, cancel := context.WithCancel(t.Context())
		err := db.Tx(ctx, "test.tx", func(tx *database.Tx) error {
			addTenant(t, tx, "d")
			cancel()
			return nil
		})

		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []string{"a"}, tenantIDs(t, db))
		addTenant(t, db, "e") // nothing holds the database
	})
}

func TestWritersOfManyGoroutinesQueue(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		addTenant(t, db, "a")
		_, err := db.Exec(t.Context(), "test.zero", `UPDATE tenants SET name = '0'`)
		require.NoError(t, err)
		errs := together(50, func(int) error {
			return db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
				lock := ""
				if db.Dialect() == database.Postgres {
					lock = " FOR UPDATE"
				}

				var n int
				if err := tx.Get(t.Context(), "test.read", &n,
					`SELECT cast(name AS integer) FROM tenants WHERE id = 'a'`+lock); err != nil {
					return err
				}

				_, err := tx.Exec(t.Context(), "test.write",
					`UPDATE tenants SET name = $1 WHERE id = 'a'`, fmt.Sprint(n+1))
				return err
			})
		})

		require.NoError(t, errors.Join(errs...))
		var n int
		require.NoError(t, db.Get(t.Context(), "test.read", &n, `SELECT cast(name AS integer) FROM tenants`))
		require.Equal(t, 50, n)
	})
}

func TestForeignKeysAreChecked(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		_, err := db.Exec(t.Context(), "test.insert",
			`INSERT INTO tenant_domains (domain, tenant_id, verified_at) VALUES ('d', 'nobody', $1)`,
			database.At(start))
		require.Error(t, err)
		require.Equal(t, database.KindOther, database.Classify(t.Context(), err))
	})
}

func TestOpenNeverShowsTheURL(t *testing.T) {
	for name, url := range map[string]string{
		"not a URL":         "postgres://user:secret@host:port/%zz",
		"another scheme":    "mysql://user:secret@host/name",
		"a bad option":      "postgres://user:secret@host/name?sslmode=secret",
		"no server":         "postgres://user:secret@127.0.0.1:1/name?sslmode=disable",
		"key and value":     "host=127.0.0.1 password=secret",
		"nothing":           "",
		"an unknown option": "postgres://user:secret@127.0.0.1:1/name?sslmode=disable&connect_timeout=secret",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := database.Open(t.Context(), database.Options{URL: url})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestTheConnectionSpeaksUTCWhateverTheServerOrTheURLSays(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	for _, option := range []string{"", "&timezone=Asia/Tokyo", "&TimeZone=Asia/Tokyo"} {
		var zone string
		require.NoError(t, testkit.OpenPostgres(t, url+option).Get(t.Context(), "test.zone", &zone, `SHOW timezone`))
		require.Equal(t, "UTC", zone)
	}
}

// together runs f in n goroutines that start at the same moment.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	gate := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}

	close(gate)
	done.Wait()
	return errs
}

func unavailable(t *testing.T, err error) bool {
	t.Helper()
	var u interface{ Unavailable() bool }
	require.ErrorAs(t, err, &u)
	return u.Unavailable()
}
