package sqlstore_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// RFC 7523 3: a jti is used once.
func TestOfFiftyAtOnceOneUsesAnAssertion(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		// Two stores, as two replicas have.
		stores := []*sqlstore.Store{sqlstore.New(db), sqlstore.New(db)}
		var first atomic.Int64
		var all sync.WaitGroup
		failures := make(chan error, 50)
		for i := range 50 {
			all.Go(func() {
				won, err := stores[i%2].Use(t.Context(), "app", []byte("jti"), now.Add(time.Minute))
				if err != nil {
					failures <- err
				}
				if won {
					first.Add(1)
				}
			})
		}

		all.Wait()
		close(failures)

		for err := range failures {
			require.NoError(t, err)
		}

		require.EqualValues(t, 1, first.Load())
	})
}

func TestAnAssertionIsTheClientsOwnAndForgottenWhenItsTimeHasPassed(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		use := func(client, jti string, until time.Time) bool {
			first, err := store.Use(t.Context(), client, []byte(jti), until)
			require.NoError(t, err)
			return first
		}

		require.True(t, use("a", "1", now))
		require.True(t, use("b", "1", now), "another client may use the same jti (RFC 7519 4.1.7)")
		require.True(t, use("a", "2", now.Add(time.Microsecond)))
		require.False(t, use("a", "1", now.Add(time.Hour)))

		n, err := store.DeleteExpired(t.Context(), now, 1)
		require.NoError(t, err)
		require.Equal(t, 1, n, "in batches")
		n, err = store.DeleteExpired(t.Context(), now, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.False(t, use("a", "2", now), "its time has not passed")
		require.True(t, use("a", "1", now))
	})
}

// Both services that authenticate applications may do so under their own roles.
func TestTheServicesRolesSuffice(t *testing.T) {
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	for _, role := range []string{"platform_token", "platform_device"} {
		store := sqlstore.New(testkit.OpenPostgres(t, server.LoginURL(t, owner, role)))
		first, err := store.Use(t.Context(), role, []byte("jti"), now)
		require.NoError(t, err)
		require.True(t, first)
		n, err := store.DeleteExpired(t.Context(), now, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
}
