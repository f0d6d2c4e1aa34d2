package app_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/app"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/ports"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// quick has no RSA: fifty such keys at once would take a while.
var quick = domain.Policy{
	Algorithms:   []signing.Algorithm{signing.ES256, signing.EdDSA},
	Rotation:     2160 * time.Hour,
	PublishAhead: 24 * time.Hour,
	TokenTTL:     time.Hour,
	SessionLife:  720 * time.Hour,
}

// world is a keeper over a real store and real key files.
type world struct {
	dir     string
	maker   signing.Maker
	backend signing.Backend
	store   *sqlstore.Store
	clock   *testkit.Clock
	keeper  *app.Keeper
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "keys"), store: sqlstore.New(db), clock: testkit.NewClock(start)}
	maker, err := localkeys.Open(w.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, maker.Close()) })
	w.maker, w.backend = maker, maker
	w.keeper = w.replica(t, db)
	return w
}

// replica is another keeper over the same store and files.
func (w *world) replica(t *testing.T, db *database.DB) *app.Keeper {
	t.Helper()
	return &app.Keeper{
		Schedule: w.store,
		Store:    w.store,
		Maker:    w.maker,
		Trail:    auditstore.New(db, "keys", w.clock.Now, rand.Reader),
		Policy:   quick,
		Now:      w.clock.Now,
		Logger:   testkit.Logger(t),
	}
}

func (w *world) publisher(schedule signing.Schedule) *app.Publisher {
	return &app.Publisher{
		Ring:   signing.NewRing(signing.RingOptions{Schedule: schedule, Now: w.clock.Now}),
		Origin: "https://id.example",
		Policy: quick,
		Now:    w.clock.Now,
	}
}

func (w *world) keys(t *testing.T) []signing.Key {
	t.Helper()
	keys, err := w.store.Keys(t.Context())
	require.NoError(t, err)
	return keys
}

// faulty is the real schedule with faults on order.
type faulty struct {
	ports.Schedule
	before, after atomic.Pointer[error] // Insert fails before or after the row was written
	keys          atomic.Pointer[error]
}

func (f *faulty) Keys(ctx context.Context) ([]signing.Key, error) {
	if err := f.keys.Load(); err != nil {
		return nil, *err
	}
	return f.Schedule.Keys(ctx)
}

func (f *faulty) Insert(ctx context.Context, key signing.Key) error {
	if err := f.before.Load(); err != nil {
		return *err
	}
	if err := f.Schedule.Insert(ctx, key); err != nil {
		return err
	}
	if err := f.after.Load(); err != nil {
		return *err
	}

	return nil
}

// brokenMaker cannot make one algorithm.
type brokenMaker struct {
	signing.Maker
	alg signing.Algorithm
}

var errBroken = errors.New("the backend is away")

func (m brokenMaker) Create(ctx context.Context, alg signing.Algorithm) (string, crypto.PublicKey, error) {
	if alg == m.alg {
		return "", nil, errBroken
	}
	return m.Maker.Create(ctx, alg)
}

func TestOfFiftyReplicasAtOnceOneMakesTheKey(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		atOnce := func() {
			errs := make([]error, 50)
			var all sync.WaitGroup
			for i := range errs {
				keeper := w.replica(t, db)
				all.Go(func() { errs[i] = keeper.Ensure(t.Context()) })
			}

			all.Wait()
			require.NoError(t, errors.Join(errs...))
		}

		atOnce()
		keys := w.keys(t)
		require.Len(t, keys, 2, "one an algorithm")
		require.Equal(t, 2, len(files(t, w.dir)), "the losers deleted theirs")
		require.Equal(t, []time.Time{start, start}, []time.Time{keys[0].ActiveFrom, keys[1].ActiveFrom},
			"the first keys sign at once")

		w.clock.Advance(quick.Rotation)
		atOnce()
		require.Equal(t, 4, len(files(t, w.dir)))

		for i, key := range w.keys(t) {
			require.Equal(t, i%2+1, key.Generation)
			if key.Generation == 1 {
				require.Equal(t, start.Add(quick.Rotation+quick.PublishAhead+quick.Overlap()), key.RetireAt)
			} else {
				require.Zero(t, key.RetireAt)
				require.Equal(t, w.clock.Now(), key.PublishedAt)
				require.Equal(t, w.clock.Now().Add(quick.PublishAhead), key.ActiveFrom)
			}
		}
	})
}

func TestTokensVerifyAcrossARotation(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	// The signer is another process: it reads the schedule and the key files.
	other, err := localkeys.Open(w.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	ring := signing.NewRing(signing.RingOptions{Schedule: w.store, Backend: other, Now: w.clock.Now})
	sign := func() string {
		require.NoError(t, w.keeper.Ensure(t.Context()))
		require.NoError(t, ring.Load(t.Context()))
		token, err := ring.Sign(t.Context(), signing.ES256, "at+jwt", map[string]string{"sub": "ada"})
		require.NoError(t, err)
		return token
	}

	verifies := func(token string) bool {
		require.NoError(t, ring.Load(t.Context()))
		_, err := ring.Verify(t.Context(), token, "at+jwt")
		return err == nil
	}

	kid := func(token string) string { return token[:60] }

	first := sign()
	w.clock.Advance(quick.Rotation)
	second := sign()
	require.Equal(t, kid(first), kid(second), "the next key is published, but does not sign yet")
	require.Len(t, ring.Published(), 4)
	w.clock.Advance(quick.PublishAhead - time.Microsecond)
	second = sign()
	require.Equal(t, kid(first), kid(second))
	w.clock.Advance(time.Microsecond)
	third := sign()
	require.NotEqual(t, kid(second), kid(third), "every replica switches at that instant")
	w.clock.Advance(quick.TokenTTL)
	require.True(t, verifies(second), "the last token of the former key")
	w.clock.Advance(quick.Overlap() - quick.TokenTTL - time.Microsecond)
	require.True(t, verifies(second), "an application's token may live for a day")
	w.clock.Advance(time.Microsecond)
	require.False(t, verifies(second))
	require.True(t, verifies(third))
	require.Len(t, ring.Published(), 2)
}

func TestACrashBetweenKeyAndRowHarmsNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	schedule := &faulty{Schedule: w.store}
	w.keeper.Schedule = schedule
	away := errBroken

	schedule.before.Store(&away)
	require.ErrorIs(t, w.keeper.Ensure(t.Context()), errBroken)
	require.Empty(t, w.keys(t))
	orphans := len(files(t, w.dir))
	require.Equal(t, 2, orphans)

	schedule.before.Store(nil)
	schedule.after.Store(&away)
	require.ErrorIs(t, w.keeper.Ensure(t.Context()), errBroken, "the row was written, the answer was lost")
	schedule.after.Store(nil)
	require.NoError(t, w.keeper.Ensure(t.Context()))
	keys := w.keys(t)
	require.Len(t, keys, 2)
	require.Equal(t, orphans+2, len(files(t, w.dir)))

	for _, key := range keys {
		_, err := w.backend.Sign(t.Context(), key, []byte("input"))
		require.NoError(t, err, "every key of the schedule signs")
	}
}

// twice is a driver that sends the same INSERT twice.
type twice struct{ ports.Schedule }

func (d twice) Insert(ctx context.Context, key signing.Key) error {
	if err := d.Schedule.Insert(ctx, key); err != nil {
		return err
	}
	return d.Schedule.Insert(ctx, key)
}

func TestARowWrittenTwiceDoesNotCostTheKey(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.keeper.Schedule = twice{w.store}
	require.NoError(t, w.keeper.Ensure(t.Context()))
	for _, key := range w.keys(t) {
		_, err := w.backend.Sign(t.Context(), key, []byte("input"))
		require.NoError(t, err)
	}
}

func TestOneAlgorithmThatFailsDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.keeper.Maker = brokenMaker{w.maker, signing.ES256}
	require.ErrorIs(t, w.keeper.Ensure(t.Context()), errBroken)
	keys := w.keys(t)
	require.Len(t, keys, 1)
	require.Equal(t, signing.EdDSA, keys[0].Algorithm)
}

func TestTheTaskWaitsForTheDatabaseAndKeepsWhatItHad(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	schedule := &faulty{Schedule: w.store}
	w.keeper.Schedule = schedule
	publisher := w.publisher(schedule)
	task := &app.Task{Keeper: w.keeper, Publisher: publisher, Logger: testkit.Logger(t)}
	away := errBroken
	schedule.keys.Store(&away)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- task.Run(ctx) }()
	_, err := publisher.Documents()
	require.ErrorIs(t, err, signing.ErrNoKey)
	schedule.keys.Store(nil)
	require.Eventually(t, func() bool {
		_, err := publisher.Documents()
		return err == nil
	}, testkit.Patience, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done, "the end of the process isn't an error")

	before, err := publisher.Documents()
	require.NoError(t, err)
	schedule.keys.Store(&away)
	require.ErrorIs(t, publisher.Refresh(t.Context()), errBroken)
	after, err := publisher.Documents()
	require.NoError(t, err)
	require.Same(t, before, after)
}

func TestARevokedKeyIsPublishedNoLonger(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		publisher := w.publisher(w.store)
		require.ErrorIs(t, publisher.Refresh(t.Context()), signing.ErrNoKey)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		require.NoError(t, publisher.Refresh(t.Context()))
		_, err := db.Exec(t.Context(), "test.revoke", `UPDATE signing_keys SET revoked_at = $1`, database.At(start))
		require.NoError(t, err)
		require.ErrorIs(t, publisher.Refresh(t.Context()), signing.ErrNoKey)
		_, err = publisher.Documents()
		require.ErrorIs(t, err, signing.ErrNoKey, "no set is better than a revoked key")
		require.NoError(t, w.keeper.Ensure(t.Context()))
		require.NoError(t, publisher.Refresh(t.Context()))
		require.Len(t, publisher.Ring.Published(), 2)
	})
}

func TestAnAlgorithmThatOnlyAnApplicationAsksForGetsAKey(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		require.NoError(t, w.keeper.Ensure(t.Context()))
		require.Len(t, w.keys(t), 2)
		save := func(a directory.Application) {
			require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(tx *directorystore.Writer) error {
				return tx.SaveApplication(t.Context(), &a, start)
			}))
		}

		save(directory.Application{
			ClientID:       "a",
			Name:           "A",
			Type:           directory.Web,
			ScopeLevel:     directory.Global,
			AccessTokenAlg: "EdDSA",
			IDTokenAlg:     "PS256",
		})

		save(directory.Application{
			ClientID:       "b",
			Name:           "B",
			Type:           directory.Web,
			ScopeLevel:     directory.Global,
			AccessTokenAlg: "HS256",
		})

		require.NoError(t, w.keeper.Ensure(t.Context()))
		require.NoError(t, w.keeper.Ensure(t.Context()))
		algorithms := map[signing.Algorithm]int{}
		for _, k := range w.keys(t) {
			algorithms[k.Algorithm]++
		}

		require.Equal(t, map[signing.Algorithm]int{signing.ES256: 1, signing.EdDSA: 1, signing.PS256: 1}, algorithms)
	})
}
