package signing_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a ring over local keys and a schedule in memory, with a fixed clock.
type bench struct {
	keys     *localkeys.Store
	schedule *signingtest.Schedule
	ring     *signing.Ring
	mu       sync.Mutex
	time     time.Time
}

func newBench(t testing.TB, algorithms ...signing.Algorithm) *bench {
	t.Helper()
	keys, err := localkeys.Open(t.TempDir() + "/keys")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	b := &bench{keys: keys, schedule: signingtest.NewSchedule(), time: start}
	b.ring = signing.NewRing(signing.RingOptions{Schedule: b.schedule, Backend: keys, Now: b.now})
	list := make([]signing.Key, 0, len(algorithms))
	for _, alg := range algorithms {
		list = append(list, signingtest.NewKey(t, keys, alg, 1, start))
	}

	b.schedule.Set(list...)
	require.NoError(t, b.ring.Load(t.Context()))
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

func (b *bench) at(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = now
}

// away is an unreachable backend.
type away struct{}

var errAway = errors.New("connection refused")

func (away) Sign(context.Context, signing.Key, []byte) ([]byte, error) { return nil, errAway }

func unavailable(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Unavailable() bool
	}](err)
	return ok && e.Unavailable()
}

func TestTheActiveKeyIsTheLatestThatMaySign(t *testing.T) {
	b := newBench(t)
	first := signingtest.NewKey(t, b.keys, signing.ES256, 1, start)
	second := signingtest.NewKey(t, b.keys, signing.ES256, 2, start)
	second.ActiveFrom = start.Add(24 * time.Hour)
	first.RetireAt = start.Add(26 * time.Hour)
	revoked := second
	revoked.RevokedAt = start

	for name, c := range map[string]struct {
		keys []signing.Key
		at   time.Time
		want string // kid, empty for ErrNoKey
	}{
		"the first signs alone": {[]signing.Key{first}, start, first.KID},
		"a published key does not sign before its time": {
			[]signing.Key{first, second}, start.Add(24*time.Hour - time.Microsecond), first.KID,
		},
		"a published key signs from its very moment on": {
			[]signing.Key{first, second}, start.Add(24 * time.Hour), second.KID,
		},
		"the order of the rows does not matter": {
			[]signing.Key{second, first}, start.Add(25 * time.Hour), second.KID,
		},
		"a revoked key does not sign, an older one does": {
			[]signing.Key{first, revoked}, start.Add(25 * time.Hour), first.KID,
		},
		"a retired key does not sign": {
			[]signing.Key{first, revoked}, start.Add(26 * time.Hour), "",
		},
		"no key signs before its time":                    {[]signing.Key{second}, start, ""},
		"no key signs what another algorithm should sign": {nil, start, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.at(c.at)
			b.schedule.Set(c.keys...)
			require.NoError(t, b.ring.Load(t.Context()))
			token, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", map[string]string{"sub": "ada"})
			if c.want == "" {
				require.ErrorIs(t, err, signing.ErrNoKey)
				require.True(t, unavailable(err), "the edge answers 503")
				return
			}

			require.NoError(t, err)
			require.Equal(t, c.want, header(t, token).KeyID)
		})
	}
}

func TestSigningReadsTheScheduleOnceWhenAnAlgorithmIsMissing(t *testing.T) {
	b := newBench(t, signing.RS256)
	b.schedule.Set(signingtest.NewKey(t, b.keys, signing.ES256, 1, start))
	_, err := b.ring.Sign(t.Context(), signing.ES256, "at+jwt", struct{}{})
	require.NoError(t, err)
	require.Equal(t, 2, b.schedule.Reads())

	for range 3 {
		_, err = b.ring.Sign(t.Context(), signing.EdDSA, "at+jwt", struct{}{})
		require.ErrorIs(t, err, signing.ErrNoKey)
	}

	require.Equal(t, 2, b.schedule.Reads(), "not more than once in a few seconds")
}

func TestSigningTellsABackendThatIsAwayFromAKeyThatIsGone(t *testing.T) {
	b := newBench(t, signing.ES256)

	ring := signing.NewRing(signing.RingOptions{Schedule: b.schedule, Backend: away{}, Now: b.now})
	_, err := ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.ErrorIs(t, err, errAway)
	require.True(t, unavailable(err))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.ring.Sign(ctx, signing.ES256, "JWT", struct{}{})
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, unavailable(err))

	keys, err := b.schedule.Keys(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.keys.Delete(t.Context(), keys[0].Ref))
	_, err = b.ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.ErrorIs(t, err, signing.ErrKeyMissing)
	require.False(t, unavailable(err), "waiting does not bring it back")

	verifyOnly := signing.NewRing(signing.RingOptions{Schedule: b.schedule, Now: b.now})
	_, err = verifyOnly.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.Error(t, err)

	_, err = b.ring.Sign(t.Context(), signing.ES256, "JWT", map[string]any{"f": func() {}})
	require.Error(t, err, "claims that JSON cannot write")
}

func TestThePublishedKeysAreThoseBetweenPublicationAndRetirement(t *testing.T) {
	b := newBench(t)
	require.ErrorIs(t, b.ring.Ready(), signing.ErrNoKey)
	current := signingtest.NewKey(t, b.keys, signing.RS256, 2, start)
	former := signingtest.NewKey(t, b.keys, signing.RS256, 1, start.Add(-time.Hour))
	former.RetireAt = start.Add(time.Hour)
	later := signingtest.NewKey(t, b.keys, signing.ES256, 1, start.Add(time.Minute))
	revoked := signingtest.NewKey(t, b.keys, signing.ES256, 2, start)
	revoked.RevokedAt = start
	b.schedule.Set(current, former, later, revoked)
	require.NoError(t, b.ring.Load(t.Context()))
	require.NoError(t, b.ring.Ready())

	kids := func() (list []string) {
		for _, key := range b.ring.Published() {
			list = append(list, key.KID)
		}
		return list
	}

	require.Equal(t, []string{former.KID, current.KID}, kids())
	b.at(start.Add(time.Minute))
	require.Equal(t, []string{later.KID, former.KID, current.KID}, kids())
	b.at(start.Add(time.Hour))
	require.Equal(t, []string{later.KID, current.KID}, kids())
}

func TestTheAlgorithmIsTheFirstThatIsInUse(t *testing.T) {
	b := newBench(t)
	old := signingtest.NewKey(t, b.keys, signing.ES256, 1, start.Add(-time.Hour))
	lead := signingtest.NewKey(t, b.keys, signing.EdDSA, 1, start)
	lead.ActiveFrom = start.Add(time.Hour)
	revoked := signingtest.NewKey(t, b.keys, signing.RS256, 1, start.Add(-time.Hour))
	revoked.RevokedAt = start
	b.schedule.Set(old, lead, revoked)
	require.NoError(t, b.ring.Load(t.Context()))

	for name, c := range map[string]struct {
		at   time.Time
		list []signing.Algorithm
		want signing.Algorithm
	}{
		"one that has a key that signs": {
			start, []signing.Algorithm{signing.ES256, signing.RS256}, signing.ES256,
		},
		"not one without a key": {
			start, []signing.Algorithm{signing.PS256, signing.ES256}, signing.ES256,
		},
		"not one whose first key waits": {
			start.Add(time.Hour - time.Microsecond), []signing.Algorithm{signing.EdDSA, signing.ES256}, signing.ES256,
		},
		"from the moment that it signs": {
			start.Add(time.Hour), []signing.Algorithm{signing.EdDSA, signing.ES256}, signing.EdDSA,
		},
		"also one whose key was revoked, for another is coming": {
			start, []signing.Algorithm{signing.RS256, signing.ES256}, signing.RS256,
		},
		"the first when none is": {
			start, []signing.Algorithm{signing.PS256, signing.EdDSA}, signing.PS256,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.at(c.at)
			require.Equal(t, c.want, b.ring.Choose(c.list...))
		})
	}
}

func TestARetiredKeyCountsForHintsAlone(t *testing.T) {
	b := newBench(t, signing.ES256)
	token, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.NoError(t, err)
	keys, err := b.schedule.Keys(t.Context())
	require.NoError(t, err)
	keys[0].RetireAt = start.Add(time.Hour)
	b.schedule.Set(keys...)
	require.NoError(t, b.ring.Load(t.Context()))
	b.at(start.Add(time.Hour))
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.ErrorIs(t, err, signing.ErrInvalid)
	_, err = b.ring.Hints().Verify(t.Context(), token, "JWT")
	require.NoError(t, err)
	_, err = b.ring.Hints().Verify(t.Context(), token, "at+jwt")
	require.ErrorIs(t, err, signing.ErrInvalid, "an access token isn't a hint")
	require.ErrorIs(t, b.ring.Hints().Ready(), signing.ErrNoKey)

	keys[0].RevokedAt = start
	b.schedule.Set(keys...)
	require.NoError(t, b.ring.Load(t.Context()))
	_, err = b.ring.Hints().Verify(t.Context(), token, "JWT")
	require.ErrorIs(t, err, signing.ErrInvalid)
}

func TestARingThatLostSightOfTheScheduleSaysSo(t *testing.T) {
	b := newBench(t)
	require.ErrorIs(t, b.ring.CanSign(), signing.ErrNoKey)
	waiting := signingtest.NewKey(t, b.keys, signing.ES256, 1, start)
	waiting.ActiveFrom = start.Add(time.Hour)
	b.schedule.Set(waiting)
	require.NoError(t, b.ring.Load(t.Context()))
	require.ErrorIs(t, b.ring.CanSign(), signing.ErrNoKey, "published, but does not sign")
	b.at(start.Add(time.Hour))
	require.NoError(t, b.ring.Load(t.Context()))
	require.NoError(t, b.ring.CanSign())
	b.schedule.Fail(errors.New("permission denied"))
	require.Error(t, b.ring.Load(t.Context()))
	b.at(start.Add(time.Hour + 65*time.Second))
	require.NoError(t, b.ring.CanSign())
	b.at(start.Add(time.Hour + 66*time.Second))
	require.ErrorContains(t, b.ring.CanSign(), "last read 1m6s ago")
	_, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.NoError(t, err, "it goes on with what it knows")
	b.schedule.Fail(nil)
	require.NoError(t, b.ring.Load(t.Context()))
	require.NoError(t, b.ring.CanSign())
}

func TestSigningComesBackSoonAfterTheActiveKeyWasReplaced(t *testing.T) {
	b := newBench(t, signing.ES256)
	keys, err := b.schedule.Keys(t.Context())
	require.NoError(t, err)
	keys[0].RevokedAt = start
	b.schedule.Set(keys...)
	require.NoError(t, b.ring.Load(t.Context()))
	_, err = b.ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.ErrorIs(t, err, signing.ErrNoKey)
	b.schedule.Set(append(keys, signingtest.NewKey(t, b.keys, signing.ES256, 2, start))...)
	b.at(start.Add(249 * time.Millisecond))
	_, err = b.ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.ErrorIs(t, err, signing.ErrNoKey, "a busy service does not ask the database for each token")
	b.at(start.Add(250 * time.Millisecond))
	_, err = b.ring.Sign(t.Context(), signing.ES256, "JWT", struct{}{})
	require.NoError(t, err)
}

func TestLoadRefusesARowThatClaimsAnothersName(t *testing.T) {
	b := newBench(t, signing.ES256)
	good, err := b.schedule.Keys(t.Context())
	require.NoError(t, err)

	forged := signingtest.NewKey(t, b.keys, signing.ES256, 2, start)
	forged.KID = good[0].KID
	b.schedule.Set(forged)
	require.Error(t, b.ring.Load(t.Context()), "a kid that is not the thumbprint")

	confused := good[0]
	confused.Algorithm = signing.RS256
	b.schedule.Set(confused)
	require.Error(t, b.ring.Load(t.Context()), "a key that does not fit its algorithm")

	unknown := good[0]
	unknown.Algorithm = "ML-DSA-44"
	b.schedule.Set(good[0], unknown)
	require.NoError(t, b.ring.Load(t.Context()), "an algorithm of a newer version is left alone")
	require.Len(t, b.ring.Published(), 1)
}

// Run uses real timers, so these tests run in a synctest bubble.

func TestRunWaitsForTheFirstKeyAndThenReadsEveryRefresh(t *testing.T) {
	b := newBench(t)
	key := signingtest.NewKey(t, b.keys, signing.ES256, 1, start)
	synctest.Test(t, func(t *testing.T) {
		schedule := signingtest.NewSchedule()
		ring := signing.NewRing(signing.RingOptions{Schedule: schedule, Now: b.now, Refresh: time.Hour})
		stop := run(t, ring)
		time.Sleep(990 * time.Millisecond) // the bubble's time
		synctest.Wait()
		require.InDelta(t, 4.5, schedule.Reads(), 0.5, "four times a second while empty, a little sooner at random")
		schedule.Set(key)
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		require.NoError(t, ring.Ready())
		before := schedule.Reads()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		require.Equal(t, before+3, schedule.Reads())
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		require.Greater(t, schedule.Reads(), before+33, "a little sooner at random, so that replicas drift apart")
		require.Less(t, schedule.Reads(), before+38, "by a tenth at most")
		stop()
	})
}

func TestRunKeepsTheLastGoodSetAndComplainsOnce(t *testing.T) {
	b := newBench(t)
	key := signingtest.NewKey(t, b.keys, signing.ES256, 1, start)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		schedule := signingtest.NewSchedule(key)
		ring := signing.NewRing(signing.RingOptions{
			Schedule: schedule,
			Now:      b.now,
			Refresh:  time.Minute,
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		})

		stop := run(t, ring)
		synctest.Wait()
		schedule.Fail(errors.New("database is away"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Len(t, ring.Published(), 1)
		require.Equal(t, 1, strings.Count(log.String(), "can't read"))
		before := schedule.Reads()
		schedule.Fail(nil)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Greater(t, schedule.Reads(), before, "it does not wait a whole Refresh after a failure")
		require.Equal(t, 1, strings.Count(log.String(), "recovered"))
		stop()
	})
}

func TestRunReadsAtOnceWhenSomethingChanged(t *testing.T) {
	b := newBench(t)
	key := signingtest.NewKey(t, b.keys, signing.ES256, 1, start)
	synctest.Test(t, func(t *testing.T) {
		schedule, changed := signingtest.NewSchedule(key), make(chan struct{}, 1)
		ring := signing.NewRing(signing.RingOptions{
			Schedule: schedule,
			Now:      b.now,
			Refresh:  time.Hour,
			Changed:  changed,
		})

		stop := run(t, ring)
		synctest.Wait()
		require.Len(t, ring.Published(), 1)
		revoked := key
		revoked.RevokedAt = start
		schedule.Set(revoked)
		changed <- struct{}{}
		synctest.Wait()
		require.Empty(t, ring.Published())
		require.Equal(t, 2, schedule.Reads())
		stop()
	})
}

// run starts the ring's task and returns a function that stops it.
func run(t *testing.T, ring *signing.Ring) func() {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ring.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}
