package sqlstore_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func claim(name string) limits.Claim {
	return limits.Claim{Key: key(name), Rule: rule, Subject: key("subject")}
}

// A budget of three is three, however many try at once on however many replicas (RFC 6749 10.10).
func TestOfHundredAttemptsAtOnceTheBudgetPasses(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		db := testkit.SQLite(t)
		requireExactBudget(t, db, db)
	})
	t.Run("postgres", func(t *testing.T) {
		server := testkit.PostgresServer(t)
		url := server.LoginURL(t, server.NewDatabase(t), "platform_session")
		requireExactBudget(t, testkit.OpenPostgres(t, url), testkit.OpenPostgres(t, url))
	})
}

func requireExactBudget(t *testing.T, replicas ...*database.DB) {
	t.Helper()
	var passed atomic.Int32
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 100 {
		store := sqlstore.New(replicas[i%len(replicas)])
		// The claims come in either order and share one key only.
		claims := []limits.Claim{claim("account"), claim("address" + string(rune('a'+i%26)) + string(rune('a'+i/26)))}
		if i%2 == 0 {
			claims[0], claims[1] = claims[1], claims[0]
		}

		wg.Go(func() {
			<-begin
			taken, until, err := store.Take(t.Context(), start, claims...)
			switch {
			case err != nil:
				t.Error(err)
			case until.IsZero() && len(taken) == 2:
				passed.Add(1)
			case !until.After(start) || taken != nil:
				t.Errorf("refused until %s with %d taken", until, len(taken))
			}
		})
	}

	close(begin)
	wg.Wait()
	require.EqualValues(t, rule.Failures, passed.Load())
	require.Equal(t, rule.Failures, failures(t, replicas[0], key("account")))
}

func TestAnAttemptThatIsRefusedCountsNowhere(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		blocked := fail(t, store, start, key("b"), 3)
		_, until, err := store.Take(t.Context(), start, claim("a"), claim("b"), claim("c"))
		require.NoError(t, err)
		require.Equal(t, blocked, until)
		var n int
		require.NoError(t, db.Get(t.Context(), "test.count", &n, `SELECT count(*) FROM limits`))
		require.Equal(t, 1, n)
	})
}

func TestWhatIsGivenBackWasNeverCounted(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		for range 20 { // successes of one address never add up
			taken, until, err := store.Take(t.Context(), start, claim("a"), claim("b"))
			require.NoError(t, err)
			require.Zero(t, until)
			require.NoError(t, store.GiveBack(t.Context(), taken...))
		}

		require.Zero(t, failures(t, db, key("a")))

		fail(t, store, start, key("a"), 3)
		later := start.Add(time.Second)
		taken, until, err := store.Take(t.Context(), later, claim("a"))
		require.NoError(t, err)
		require.Zero(t, until)
		require.Equal(t, later.Add(2*time.Second), taken[0].Until, "the attempt blocks those that follow")
		require.NoError(t, store.GiveBack(t.Context(), taken...))
		until, err = store.Blocked(t.Context(), later, key("a"))
		require.NoError(t, err)
		require.Zero(t, until)
		require.Equal(t, 3, failures(t, db, key("a")))
	})
}

func TestTheBlockOfALaterAttemptIsNotGivenBack(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		fail(t, store, start, key("a"), 2)
		early, _, err := store.Take(t.Context(), start, claim("a"))
		require.NoError(t, err)
		later := start.Add(2 * time.Second)
		_, until, err := store.Take(t.Context(), later, claim("a"))
		require.NoError(t, err)
		require.Zero(t, until)
		require.NoError(t, store.GiveBack(t.Context(), early...))
		until, err = store.Blocked(t.Context(), later, key("a"))
		require.NoError(t, err)
		require.Equal(t, later.Add(2*time.Second), until)
	})
}

func TestAllCountsOfASubjectAreForgottenTogether(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		_, _, err := store.Take(t.Context(), start, claim("a"), claim("b"),
			limits.Claim{Key: key("address"), Rule: rule})
		require.NoError(t, err)
		fail(t, store, start, key("old"), 1) // names no subject
		require.NoError(t, db.Tx(t.Context(), "test", func(tx *database.Tx) error {
			n, err := sqlstore.Forget(t.Context(), tx, key("subject"), key("old"))
			require.EqualValues(t, 3, n)
			return err
		}))

		require.Equal(t, 1, failures(t, db, key("address")))
		require.NoError(t, store.Clear(t.Context(), key("address"), key("never")))
		require.NoError(t, store.Clear(t.Context()))
	})
}
