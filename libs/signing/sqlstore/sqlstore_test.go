package sqlstore_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func keyStore(t *testing.T) *localkeys.Store {
	t.Helper()
	keys, err := localkeys.Open(filepath.Join(t.TempDir(), "keys"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return keys
}

func TestTheScheduleComesBackAsItWasWritten(t *testing.T) {
	maker := keyStore(t)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		keys, err := store.Keys(t.Context())
		require.NoError(t, err)
		require.Empty(t, keys)

		var want []signing.Key
		for _, alg := range []signing.Algorithm{signing.ES256, signing.EdDSA, signing.PS256, signing.RS256} {
			for generation := 1; generation <= 2; generation++ {
				key := signingtest.NewKey(t, maker, alg, generation, start)
				key.ActiveFrom = start.Add(time.Hour)
				want = append(want, key)
			}
		}

		want[0].RetireAt, want[1].RevokedAt = start.Add(2*time.Hour), start.Add(3*time.Hour)

		for i := range want {
			require.NoError(t, store.Insert(t.Context(), want[len(want)-1-i]))
		}

		keys, err = store.Keys(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t, want, keys)
		require.Equal(t, time.UTC, keys[0].PublishedAt.Location())

		for i := 1; i < len(keys); i++ {
			require.True(t, keys[i-1].Algorithm != keys[i].Algorithm || keys[i-1].Generation < keys[i].Generation)
		}
	})
}

func TestAGenerationIsTakenOnce(t *testing.T) {
	maker := keyStore(t)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		key := signingtest.NewKey(t, maker, signing.ES256, 1, start)
		require.NoError(t, store.Insert(t.Context(), key))
		again := signingtest.NewKey(t, maker, signing.ES256, 1, start)
		require.ErrorIs(t, store.Insert(t.Context(), again), sqlstore.ErrExists)
		key.Generation = 2
		require.ErrorIs(t, store.Insert(t.Context(), key), sqlstore.ErrExists, "the same kid twice")
		again.Generation = 2
		require.NoError(t, store.Insert(t.Context(), again))
		require.Error(t,
			store.Insert(t.Context(), signing.Key{KID: "x", Algorithm: signing.RS256, PublicKey: again.PublicKey}),
			"a key that does not fit")
	})
}

func TestOfFiftyThatInsertAGenerationOneWins(t *testing.T) {
	maker := keyStore(t)
	keys := make([]signing.Key, 50)
	for i := range keys {
		keys[i] = signingtest.NewKey(t, maker, signing.ES256, 1, start)
	}

	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		var won atomic.Int32
		var all sync.WaitGroup
		others := make([]error, len(keys))
		for i, key := range keys {
			all.Go(func() {
				if err := store.Insert(t.Context(), key); err != nil {
					others[i] = err
					return
				}
				won.Add(1)
			})
		}

		all.Wait()
		require.EqualValues(t, 1, won.Load())

		for _, err := range others {
			if err != nil {
				require.ErrorIs(t, err, sqlstore.ErrExists)
			}
		}
	})
}

func TestTheFirstRetirementStands(t *testing.T) {
	maker := keyStore(t)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		key := signingtest.NewKey(t, maker, signing.EdDSA, 1, start)
		require.NoError(t, store.Insert(t.Context(), key))
		require.NoError(t, store.SetRetire(t.Context(), key.KID, start.Add(time.Hour)))
		require.NoError(t, store.SetRetire(t.Context(), key.KID, start.Add(2*time.Hour)))
		keys, err := store.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour), keys[0].RetireAt)
		require.ErrorIs(t, store.SetRetire(t.Context(), "nobody", start), sqlstore.ErrNotFound)
	})
}

func TestRowsOfANewerVersionAreLeftAlone(t *testing.T) {
	maker := keyStore(t)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		require.NoError(t, store.Insert(t.Context(), signingtest.NewKey(t, maker, signing.ES256, 1, start)))
		_, err := db.Exec(t.Context(), "test.newer", `
			INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from)
			VALUES ('kid', 'ML-DSA-44', 1, 'ref', '{"kty":"AKP","pub":"AAAA"}', $1, $1)`, database.At(start))
		require.NoError(t, err)
		keys, err := store.Keys(t.Context())
		require.NoError(t, err)
		require.Len(t, keys, 1)
	})
}

func TestACanceledContextEndsEveryCall(t *testing.T) {
	key := signingtest.NewKey(t, keyStore(t), signing.ES256, 1, start)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := store.Keys(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, store.Insert(ctx, key), context.Canceled)
		require.ErrorIs(t, store.SetRetire(ctx, key.KID, start), context.Canceled)
	})
}

func TestOrdersAreKeptUntilTheyAreCarriedOut(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		order := func(o signing.Order) {
			require.NoError(t,
				db.Tx(t.Context(), "test.order",
					func(tx *database.Tx) error { return sqlstore.NewOperator(tx).Order(t.Context(), o, start) }))
		}
		next := signing.Order{Algorithm: signing.ES256, Generation: 2}
		now := signing.Order{Algorithm: signing.ES256, Generation: 2, Immediate: true}
		other := signing.Order{Algorithm: signing.RS256, Generation: 2}
		requireOrders := func(want ...signing.Order) {
			t.Helper()
			orders, err := store.Orders(t.Context())
			require.NoError(t, err)
			require.ElementsMatch(t, want, orders)
		}

		order(next)
		order(other)
		order(signing.Order{Algorithm: "ML-DSA-44", Generation: 1})
		requireOrders(next, other)
		order(now)
		order(next)
		requireOrders(now, other)
		require.NoError(t, store.RemoveOrder(t.Context(), next))
		requireOrders(now, other)
		require.NoError(t, store.RemoveOrder(t.Context(), now))
		require.NoError(t, store.RemoveOrder(t.Context(), now))
		requireOrders(other)
	})
}

func TestAKeyIsBroughtForwardButNeverPutOff(t *testing.T) {
	maker := keyStore(t)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		key := signingtest.NewKey(t, maker, signing.EdDSA, 1, start)
		key.ActiveFrom = start.Add(time.Hour)
		require.NoError(t, store.Insert(t.Context(), key))

		for _, at := range []time.Duration{2 * time.Hour, time.Minute, 30 * time.Minute} {
			require.NoError(t, store.BringForward(t.Context(), key.KID, start.Add(at)))
		}

		keys, err := store.Keys(t.Context())
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Minute), keys[0].ActiveFrom)
		require.NoError(t, store.Delete(t.Context(), key.KID))
		require.NoError(t, store.Delete(t.Context(), key.KID))
		keys, err = store.Keys(t.Context())
		require.NoError(t, err)
		require.Empty(t, keys)
	})
}

// Two replicas whose clocks differ switch at their own instants, moments apart,
// and each knows the key of the other all the while.
func TestEveryReplicaSwitchesAtTheInstantThatTheScheduleSays(t *testing.T) {
	maker := keyStore(t)
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db)
		first := signingtest.NewKey(t, maker, signing.ES256, 1, start)
		second := signingtest.NewKey(t, maker, signing.ES256, 2, start)
		second.ActiveFrom = start.Add(time.Hour + 250*time.Microsecond) // a microsecond survives both databases
		first.RetireAt = second.ActiveFrom.Add(25 * time.Hour)

		for _, key := range []signing.Key{first, second} {
			require.NoError(t, store.Insert(t.Context(), key))
		}

		clocks := []*testkit.Clock{testkit.NewClock(second.ActiveFrom), testkit.NewClock(second.ActiveFrom)}
		rings := make([]*signing.Ring, len(clocks))
		for i, clock := range clocks {
			rings[i] = signing.NewRing(signing.RingOptions{Schedule: store, Backend: maker, Now: clock.Now})
			require.NoError(t, rings[i].Load(t.Context()))
		}

		require.Len(t, rings, 2)
		// signedBy has both sign and verify what either signed.
		signedBy := func(ahead time.Duration) (kids [2]string) {
			clocks[0].Advance(ahead)

			for i, ring := range rings {
				token, err := ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
				require.NoError(t, err)

				for _, other := range rings {
					_, err := other.Verify(t.Context(), token, "JWT")
					require.NoError(t, err)
				}

				for _, key := range []signing.Key{first, second} {
					if digest := strings.Split(token,
						"."); signingtest.Check(key, []byte(digest[0]+"."+digest[1]), decode(t, digest[2])) == nil {
						kids[i] = key.KID
					}
				}
			}

			return kids
		}

		require.Equal(t, [2]string{second.KID, second.KID}, signedBy(0), "the very instant")
		require.Equal(t, [2]string{first.KID, second.KID}, signedBy(-time.Microsecond), "a microsecond behind")
		require.Equal(t, [2]string{first.KID, second.KID}, signedBy(-5*time.Second), "a clock that is seconds behind")
		clocks[1].Advance(-time.Microsecond)
		require.Equal(t, [2]string{first.KID, first.KID}, signedBy(0))
	})
}

func decode(t *testing.T, part string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	return raw
}

// The rights of each service's role are in roles.sql: every service reads the
// schedule, the keys service alone writes it.
func TestTheKeysServicesRoleWritesAndOthersOnlyRead(t *testing.T) {
	maker := keyStore(t)
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	as := func(group string) *sqlstore.Store {
		db, err := database.Open(t.Context(), database.Options{URL: server.LoginURL(t, url, group)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return sqlstore.New(db)
	}

	key := signingtest.NewKey(t, maker, signing.ES256, 1, start)
	owner := as("platform_keys")
	require.NoError(t, owner.Insert(t.Context(), key))
	require.NoError(t, owner.SetRetire(t.Context(), key.KID, start.Add(time.Hour)))

	for _, group := range []string{"platform_authorize", "platform_token", "platform_device", "platform_session"} {
		t.Run(fmt.Sprintf("%s reads", group), func(t *testing.T) {
			store := as(group)
			keys, err := store.Keys(t.Context())
			require.NoError(t, err)
			require.Len(t, keys, 1)
			require.Error(t, store.Insert(t.Context(), signingtest.NewKey(t, maker, signing.ES256, 2, start)))
			require.Error(t, store.SetRetire(t.Context(), key.KID, start.Add(2*time.Hour)))
			require.Error(t, store.BringForward(t.Context(), key.KID, start))
			require.Error(t, store.Delete(t.Context(), key.KID))
			_, err = store.Orders(t.Context())
			require.Error(t, err)
		})
	}
}
