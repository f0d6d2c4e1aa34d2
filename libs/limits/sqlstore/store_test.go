package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	rule  = limits.Rule{Failures: 3, Window: time.Minute, MaxDelay: 4 * time.Second}
)

func key(name string) limits.Key { return limits.NewKey([]byte("secret"), name) }

// fail counts n failures and gives the block after the last.
func fail(t *testing.T, store *sqlstore.Store, now time.Time, k limits.Key, n int) (until time.Time) {
	t.Helper()
	for range n {
		var err error
		until, err = store.Fail(t.Context(), now, rule, k)
		require.NoError(t, err)
	}
	return until
}

func failures(t *testing.T, db *database.DB, k limits.Key) (n int) {
	t.Helper()
	require.NoError(t,
		db.Get(t.Context(), "test.failures", &n, `SELECT failures FROM limits WHERE key = $1`, []byte(k)))
	return n
}

// RFC 6749 10.10, RFC 8628 5.1.
func TestABlockGrowsAndIsBounded(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, k := sqlstore.New(db), key("a")
		for n := 1; n <= 70; n++ {
			until := fail(t, store, start, k, 1)
			want := time.Time{}
			if delay := rule.Delay(n); delay > 0 {
				want = start.Add(delay)
			}

			require.Equal(t, want, until, "failure %d", n)
			blocked, err := store.Blocked(t.Context(), start, k)
			require.NoError(t, err)
			require.Equal(t, want, blocked)
		}

		blocked, err := store.Blocked(t.Context(), start.Add(4*time.Second), k)
		require.NoError(t, err)
		require.Zero(t, blocked, "a block ends")
		require.Equal(t, start.Add(9*time.Second), fail(t, store, start.Add(5*time.Second), k, 1),
			"and the next failure blocks again")
	})
}

func TestTheFirstFailureBlocksWhereNoneIsFree(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		until, err := sqlstore.New(db).Fail(t.Context(), start, limits.Rule{Failures: 1, Window: time.Hour}, key("a"))
		require.NoError(t, err)
		require.Equal(t, start.Add(limits.FirstDelay), until)
	})
}

func TestAKeyIsForgottenWhenQuietForTheWindow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		fail(t, store, start, key("free"), 2)
		fail(t, store, start, key("blocked"), 5) // for four seconds
		fail(t, store, start.Add(time.Minute-time.Microsecond), key("free"), 1)
		require.Equal(t, 3, failures(t, db, key("free")))
		fail(t, store, start.Add(time.Minute+3*time.Second), key("blocked"), 1)
		require.Equal(t, 6, failures(t, db, key("blocked")), "the window begins when the block ends")
		fail(t, store, start.Add(time.Hour), key("free"), 1)
		require.Equal(t, 1, failures(t, db, key("free")))
	})
}

func TestTheLatestOfSeveralBlocksCounts(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		fail(t, store, start, key("free"), 1)
		one := fail(t, store, start, key("one"), 3)
		two := fail(t, store, start, key("two"), 4)
		for name, tt := range map[string]struct {
			keys []limits.Key
			want time.Time
		}{
			"no key":           {nil, time.Time{}},
			"an unknown one":   {[]limits.Key{key("none")}, time.Time{}},
			"one that is free": {[]limits.Key{key("free")}, time.Time{}},
			"one of several":   {[]limits.Key{key("none"), key("one"), key("free")}, one},
			"two of several":   {[]limits.Key{key("two"), key("free"), key("one")}, two},
		} {
			t.Run(name, func(t *testing.T) {
				until, err := store.Blocked(t.Context(), start, tt.keys...)
				require.NoError(t, err)
				require.Equal(t, tt.want, until)
			})
		}
	})
}

func TestAClearedKeyStartsAnew(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		fail(t, store, start, key("a"), 4)
		other := fail(t, store, start, key("b"), 4)
		require.NoError(t, store.Clear(t.Context(), key("a")))
		require.NoError(t, store.Clear(t.Context(), key("never")))
		until, err := store.Blocked(t.Context(), start, key("a"), key("b"))
		require.NoError(t, err)
		require.Equal(t, other, until)
		require.Zero(t, fail(t, store, start, key("a"), 2))
	})
}

// Each service counts and sweeps under its own role.
func TestFiftyFailuresAtOnceCountFifty(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { requireExactCount(t, testkit.SQLite(t)) })
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	for _, role := range []string{"platform_session", "platform_device", "platform_token"} {
		t.Run(role, func(t *testing.T) { requireExactCount(t, testkit.OpenPostgres(t, server.LoginURL(t, url, role))) })
	}
}

func requireExactCount(t *testing.T, db *database.DB) {
	t.Helper()
	const racers = 50
	store, k := sqlstore.New(db), key(t.Name())
	var free sync.Map
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			until, err := store.Fail(t.Context(), start, rule, k)
			if err != nil {
				t.Error(err)
			}
			if until.IsZero() {
				free.Store(i, true)
			}
		})
	}

	wg.Wait()
	require.Equal(t, racers, failures(t, db, k))
	n := 0
	free.Range(func(any, any) bool { n++; return true })
	require.Equal(t, rule.Failures-1, n, "only the first ones were free")

	var removed [racers]int
	for i := range removed {
		wg.Go(func() {
			var err error
			if removed[i], err = store.DeleteExpired(t.Context(), start.Add(time.Hour), 10); err != nil {
				t.Error(err)
			}
		})
	}

	wg.Wait()
	total := 0
	for _, n := range removed {
		total += n
	}

	require.Equal(t, 1, total, "a row is removed once")
	require.NoError(t, store.Clear(t.Context(), k))
}

func TestQuietKeysAreRemovedInBatches(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		for _, name := range []string{"a", "b", "c"} {
			fail(t, store, start, key(name), 1)
		}

		fail(t, store, start.Add(time.Second), key("d"), 1)

		for _, want := range []int{2, 1, 0} {
			n, err := store.DeleteExpired(t.Context(), start.Add(time.Minute), 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}

		require.Equal(t, 1, failures(t, db, key("d")))
	})
}

func TestACancelledContextIsUnavailable(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := store.Fail(ctx, start, rule, key("a"))
		require.ErrorIs(t, err, context.Canceled)
		_, err = store.Blocked(ctx, start, key("a"))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, store.Clear(ctx, key("a")), context.Canceled)
	})
}
