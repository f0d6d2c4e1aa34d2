package jwks_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth/jwks"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var app = &directory.Application{ClientID: "app", JWKSURI: "https://app.test/jwks"}

// site is a web site that publishes keys.
type site struct {
	mu    sync.Mutex
	body  []byte
	err   error
	asked atomic.Int64
	gate  chan struct{} // nil: answers at once
}

func (s *site) Get(ctx context.Context, url string) ([]byte, http.Header, error) {
	s.asked.Add(1)

	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body, nil, s.err
}

func (s *site) publishes(t *testing.T, kids ...string) {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: kid})
	}

	raw, err := json.Marshal(set)
	require.NoError(t, err)
	s.answers(raw, nil)
}

func (s *site) answers(body []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.err = body, err
}

type world struct {
	*site
	clock *testkit.Clock
	cache *jwks.Cache
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{site: &site{}, clock: testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	w.publishes(t, "a")
	w.cache = jwks.New(w.site, jwks.Options{Now: w.clock.Now, Logger: testkit.Logger(t), Size: 2})
	return w
}

// has asks for a kid and reports whether the set has it.
func (w *world) has(t *testing.T, kid string) bool {
	t.Helper()
	set, err := w.cache.Keys(t.Context(), app, kid)
	require.NoError(t, err)
	return set.Has(kid)
}

func (w *world) requireAsked(t *testing.T, times int64) {
	t.Helper()
	require.Equal(t, times, w.asked.Load(), "requests to the site")
}

func TestASetIsKeptForSomeMinutes(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		require.True(t, w.has(t, "a"))
	}

	w.requireAsked(t, 1)
	w.clock.Advance(5 * time.Minute)
	require.True(t, w.has(t, "a"))
	w.requireAsked(t, 2)
}

// OpenID Connect Core 10.1.1: who meets an unknown kid asks again.
func TestAnUnknownKidIsLookedForAtMostOnceAMinute(t *testing.T) {
	w := newWorld(t)
	require.True(t, w.has(t, "a"))
	w.publishes(t, "a", "b")

	for range 10 {
		require.False(t, w.has(t, "b"))
	}

	w.requireAsked(t, 1)
	w.clock.Advance(time.Minute)
	require.True(t, w.has(t, "b"), "the application has rotated its keys")
	w.requireAsked(t, 2)

	for range 10 {
		require.False(t, w.has(t, "invented"))
	}

	w.requireAsked(t, 2)
	w.clock.Advance(time.Minute)

	for range 10 {
		require.False(t, w.has(t, "invented"))
	}

	w.requireAsked(t, 3)
}

func TestAnotherApplicationAtTheSameAddressHasAMinuteOfItsOwn(t *testing.T) {
	w := newWorld(t)
	require.True(t, w.has(t, "a"))
	w.publishes(t, "b")
	set, err := w.cache.Keys(t.Context(), &directory.Application{ClientID: "other", JWKSURI: app.JWKSURI}, "b")
	require.NoError(t, err)
	require.True(t, set.Has("b"))
	w.requireAsked(t, 2)
}

func TestAnOldSetServesWhileTheSiteFails(t *testing.T) {
	for name, fault := range map[string]struct {
		body []byte
		err  error
	}{
		"because it is away":             {err: errors.New("no answer")},
		"because it publishes no set":    {body: []byte("<html>")},
		"because it publishes a private": {body: []byte(`{"keys":[{"kty":"oct","k":"AA"}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			require.True(t, w.has(t, "a"))
			w.answers(fault.body, fault.err)
			w.clock.Advance(5 * time.Minute)

			for range 10 {
				require.True(t, w.has(t, "a"))
			}

			w.requireAsked(t, 2)
			w.publishes(t, "b")
			w.clock.Advance(time.Minute)
			require.True(t, w.has(t, "b"))

			w.answers(fault.body, fault.err)
			w.clock.Advance(24 * time.Hour)
			_, err := w.cache.Keys(t.Context(), app, "b")
			require.Error(t, err, "a key that was withdrawn a day ago must not serve")
		})
	}
}

func TestWhereThereIsNothingAFailureIsRememberedForAMoment(t *testing.T) {
	w := newWorld(t)
	w.answers(nil, errors.New("no answer"))

	for range 10 {
		_, err := w.cache.Keys(t.Context(), app, "a")
		require.ErrorContains(t, err, "no answer")
	}

	w.requireAsked(t, 1)
	w.publishes(t, "a")
	w.clock.Advance(10 * time.Second)
	require.True(t, w.has(t, "a"))
}

func TestManyAtOnceMakeOneRequest(t *testing.T) {
	w := newWorld(t)
	w.gate = make(chan struct{})
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := w.cache.Keys(gone, app, "a")
		left <- err
	}()
	require.Eventually(t, func() bool { return w.asked.Load() == 1 }, testkit.Patience, time.Millisecond)
	leave()
	require.ErrorIs(t, <-left, context.Canceled)

	var all sync.WaitGroup
	var found atomic.Int64
	for range 50 {
		all.Go(func() {
			if set, err := w.cache.Keys(t.Context(), app, "a"); err == nil && set.Has("a") {
				found.Add(1)
			}
		})
	}

	close(w.gate)
	all.Wait()
	require.EqualValues(t, 50, found.Load(), "the fetch outlives the caller that began it")
	w.requireAsked(t, 1)
}

func TestTheCacheIsBounded(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"one", "two", "three", "four"} {
		_, err := w.cache.Keys(t.Context(), &directory.Application{ClientID: id, JWKSURI: app.JWKSURI}, "a")
		require.NoError(t, err)
	}

	w.requireAsked(t, 4)
	asked := w.asked.Load()

	for _, id := range []string{"one", "two", "three", "four"} {
		_, err := w.cache.Keys(t.Context(), &directory.Application{ClientID: id, JWKSURI: app.JWKSURI}, "a")
		require.NoError(t, err)
	}

	require.GreaterOrEqual(t, w.asked.Load(), asked+2, "two of four are forgotten")
}
