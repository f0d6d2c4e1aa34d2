package app_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/app"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
)

// operator does something as `platform key …` does.
func operator(t *testing.T, db *database.DB, f func(o *sqlstore.Operator) error) {
	t.Helper()
	require.NoError(t,
		db.Tx(t.Context(), "test.operator", func(tx *database.Tx) error { return f(sqlstore.NewOperator(tx)) }))
}

func (w *world) of(t *testing.T, alg signing.Algorithm) (list []signing.Key) {
	t.Helper()
	for _, key := range w.keys(t) {
		if key.Algorithm == alg {
			list = append(list, key)
		}
	}
	return list
}

func TestOfFiftyReplicasAtOnceOneCarriesOutAnOrder(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		w.clock.Advance(time.Hour)
		atOnce := func(order signing.Order) {
			operator(t, db, func(o *sqlstore.Operator) error { return o.Order(t.Context(), order, w.clock.Now()) })
			errs := make([]error, 50)
			var all sync.WaitGroup
			for i := range errs {
				keeper := w.replica(t, db)
				all.Go(func() { errs[i] = keeper.Ensure(t.Context()) })
			}

			all.Wait()
			require.NoError(t, errors.Join(errs...))
			w.clock.Advance(domain.Notice)
			require.NoError(t, w.keeper.Ensure(t.Context()))
			left, err := w.store.Orders(t.Context())
			require.NoError(t, err)
			require.Empty(t, left, "what is carried out is taken away")
		}

		began := w.clock.Now()
		atOnce(signing.Order{Algorithm: signing.ES256, Generation: 2})
		keys := w.of(t, signing.ES256)
		require.Len(t, keys, 2)
		require.Equal(t, began.Add(quick.PublishAhead), keys[1].ActiveFrom, "published ahead, as by the calendar")
		require.Equal(t, keys[1].ActiveFrom.Add(quick.Overlap()), keys[0].RetireAt)

		w.clock.Advance(time.Hour)
		began = w.clock.Now()
		atOnce(signing.Order{Algorithm: signing.ES256, Generation: 2, Immediate: true})
		keys = w.of(t, signing.ES256)
		require.Len(t, keys, 2, "the key that was published already")
		require.Equal(t, began, keys[1].ActiveFrom)

		w.clock.Advance(time.Hour)
		began = w.clock.Now()
		atOnce(signing.Order{Algorithm: signing.ES256, Generation: 3, Immediate: true})
		keys = w.of(t, signing.ES256)
		require.Len(t, keys, 3)
		require.Equal(t, began, keys[2].PublishedAt)
		require.Equal(t, began.Add(domain.Notice), keys[2].ActiveFrom)
		require.Equal(t, keys[2].ActiveFrom.Add(quick.Overlap()), keys[1].RetireAt, "its tokens live out their time")
		require.Len(t, w.of(t, signing.EdDSA), 1, "none was ordered")

		told, err := auditstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, told, 4, "each key that was made is told of once")

		for _, event := range told {
			require.Equal(t, audit.KeyRotated, event.Kind)
			require.NotEmpty(t, event.Detail["kid"])
		}
	})
}

// verifier is another service: it sees the tables alone.
func (w *world) verifier(t *testing.T) *signing.Ring {
	t.Helper()
	ring := signing.NewRing(signing.RingOptions{Schedule: w.store, Backend: w.backend, Now: w.clock.Now})
	require.NoError(t, ring.Load(t.Context()))
	return ring
}

func TestARevokedKeyIsReplacedAndRefusedEverywhere(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		one, other := w.verifier(t), w.verifier(t)
		publisher := w.publisher(w.store)
		sign := func() string {
			token, err := one.Sign(t.Context(), signing.ES256, "JWT", map[string]string{"sub": "ada"})
			require.NoError(t, err)
			return token
		}

		look := func() {
			for _, ring := range []*signing.Ring{one, other} {
				require.NoError(t, ring.Load(t.Context()))
			}
			require.NoError(t, publisher.Refresh(t.Context()))
		}

		revoke := func(kid string) {
			operator(t, db, func(o *sqlstore.Operator) error {
				_, revoked, err := o.Revoke(t.Context(), kid, w.clock.Now())
				require.True(t, revoked)
				return err
			})
		}

		token, kid := sign(), w.of(t, signing.ES256)[0].KID
		look()
		revoke(kid)
		look()

		for _, ring := range []*signing.Ring{one, other} {
			_, err := ring.Verify(t.Context(), token, "JWT")
			require.ErrorIs(t, err, signing.ErrInvalid)
			_, err = ring.Hints().Verify(t.Context(), token, "JWT")
			require.ErrorIs(t, err, signing.ErrInvalid, "not even as a hint")
		}

		documents, err := publisher.Documents()
		require.NoError(t, err)
		require.NotContains(t, string(documents.JWKS.Body), kid)
		_, err = one.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
		require.ErrorIs(t, err, signing.ErrNoKey,
			"until the keys service has looked nothing signs, and the answer is 503")
		require.NoError(t, one.CanSign(), "other algorithms do")

		require.NoError(t, w.keeper.Ensure(t.Context()))
		w.clock.Advance(time.Second)
		again := sign()
		look()
		_, err = other.Verify(t.Context(), again, "JWT")
		require.NoError(t, err)
		require.Len(t, w.of(t, signing.ES256), 2)

		// The next key is published already when the active one is revoked.
		operator(t, db, func(o *sqlstore.Operator) error {
			return o.Order(t.Context(), signing.Order{Algorithm: signing.ES256, Generation: 3}, w.clock.Now())
		})
		require.NoError(t, w.keeper.Ensure(t.Context()))
		w.clock.Advance(time.Hour)
		revoke(w.of(t, signing.ES256)[1].KID)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		look()
		third := sign()
		look()
		_, err = other.Verify(t.Context(), third, "JWT")
		require.NoError(t, err)
		keys := w.of(t, signing.ES256)
		require.Len(t, keys, 3, "verifiers know it, so no other is made")
		require.Equal(t, w.clock.Now(), keys[2].ActiveFrom)

		w.clock.Advance(10 * time.Minute)
		require.NoError(t, w.keeper.Ensure(t.Context()))

		for i, key := range w.of(t, signing.ES256) {
			_, err := w.backend.Sign(t.Context(), key, nil)
			require.Equal(t, i < 2, errors.Is(err, signing.ErrKeyMissing),
				"the private halves of revoked keys are gone")
		}
	})
}

func TestARetiredKeyIsKeptForHintsAsLongAsASessionLives(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		ring := w.verifier(t)
		token, err := ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
		require.NoError(t, err)
		publisher := w.publisher(w.store)
		after := func(d time.Duration) (published, verifies, hints bool) {
			w.clock.Advance(d)
			require.NoError(t, w.keeper.Ensure(t.Context()))
			require.NoError(t, ring.Load(t.Context()))
			require.NoError(t, publisher.Refresh(t.Context()))
			_, verifying := ring.Verify(t.Context(), token, "JWT")
			_, hinting := ring.Hints().Verify(t.Context(), token, "JWT")
			return len(ring.Published()) == 4, verifying == nil, hinting == nil
		}

		check := func(want [3]bool, after time.Duration, f func(time.Duration) (bool, bool, bool), why string) {
			t.Helper()
			published, verifies, hints := f(after)
			require.Equal(t, want, [3]bool{published, verifies, hints}, why)
		}

		check([3]bool{true, true, true}, quick.Rotation, after, "the next key is published")
		check([3]bool{true, true, true}, quick.PublishAhead+quick.Overlap()-time.Second, after,
			"the last token may still live")
		check([3]bool{false, false, true}, time.Second, after, "it is retired")
		check([3]bool{false, false, true}, quick.SessionLife-time.Second, after, "the session may still live")
		require.Len(t, w.of(t, signing.ES256), 2)
		check([3]bool{false, false, false}, time.Second, after, "nothing is left that could need it")
		require.Len(t, w.of(t, signing.ES256), 1)
		require.Len(t, files(t, w.dir), 2, "nor are the files")
	})
}

func TestWhileTheBackendIsAwayTheKeysThatThereAreServe(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	require.NoError(t, w.keeper.Ensure(t.Context()))
	publisher := w.publisher(w.store)
	require.NoError(t, publisher.Refresh(t.Context()))
	before, err := publisher.Documents()
	require.NoError(t, err)

	w.keeper.Maker = brokenMaker{w.maker, signing.ES256}

	for range 3 { // days after the rotation was due
		w.clock.Advance(quick.Rotation)
		task := &app.Task{Keeper: w.keeper, Publisher: publisher, Logger: testkit.Logger(t)}
		require.ErrorIs(t, task.Tick(t.Context()), errBroken)
		after, err := publisher.Documents()
		require.NoError(t, err)
		require.Contains(t, string(after.JWKS.Body), w.of(t, signing.ES256)[0].KID)
		require.NotEqual(t, before.JWKS.ETag, after.JWKS.ETag, "another algorithm's key was made")
		before = after
	}

	require.Len(t, w.of(t, signing.ES256), 1)
	require.Zero(t, w.of(t, signing.ES256)[0].RetireAt, "nothing has replaced it")
}

func TestAnAlgorithmThatIsConfiguredLaterHurtsNoVerifier(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		running := w.verifier(t) // a token service that is not restarted
		w.clock.Advance(24 * time.Hour)

		restarted := w.replica(t, db)
		restarted.Policy.Algorithms = append(restarted.Policy.Algorithms, signing.PS256)
		require.NoError(t, restarted.Ensure(t.Context()))
		require.NoError(t, running.Load(t.Context()))
		require.Len(t, running.Published(), 3, "published at once")
		best := func() signing.Algorithm { return running.Choose(signing.PS256, signing.ES256) }
		require.Equal(t, signing.ES256, best(), "copies of the set do not have it yet")
		w.clock.Advance(quick.Lead() - time.Microsecond)
		require.NoError(t, restarted.Ensure(t.Context()))
		require.NoError(t, w.keeper.Ensure(t.Context()), "a replica with the former configuration leaves it alone")
		require.Equal(t, signing.ES256, best())
		w.clock.Advance(time.Microsecond)
		require.Equal(t, signing.PS256, best())
		_, err := running.Sign(t.Context(), best(), "at+jwt", struct{}{})
		require.NoError(t, err)
		require.Len(t, w.of(t, signing.PS256), 1)
	})
}
