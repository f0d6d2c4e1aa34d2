package appcache_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var _ appcache.OriginSource = (*sqlstore.Applications)(nil)

// registry is a source of origins that counts and fails when told to.
type registry struct {
	list  []string
	err   error
	asked atomic.Int64
}

func (r *registry) Origins(context.Context) ([]string, error) {
	r.asked.Add(1)
	return r.list, r.err
}

func TestOriginsAreReadOnceInAWhile(t *testing.T) {
	clock, source := testkit.NewClock(start), &registry{list: []string{"https://a.test"}}
	origins := appcache.NewOrigins(source, appcache.Options{Now: clock.Now})
	known := func(origin string) bool {
		t.Helper()
		ok, err := origins.Known(t.Context(), origin)
		require.NoError(t, err)
		return ok
	}
	for range 10 {
		require.True(t, known("https://a.test"))
		require.False(t, known("https://b.test"), "nor does an unknown one cost a read")
	}

	require.EqualValues(t, 1, source.asked.Load())
	source.list = []string{"https://b.test"}
	clock.Advance(5 * time.Second)
	require.False(t, known("https://a.test"))
	require.True(t, known("https://b.test"))
	require.EqualValues(t, 2, source.asked.Load())
}

func TestOriginsServeAWhileWhileTheSourceIsAway(t *testing.T) {
	clock, source := testkit.NewClock(start), &registry{err: errAway}
	origins := appcache.NewOrigins(source, appcache.Options{Now: clock.Now})
	_, err := origins.Known(t.Context(), "https://a.test")
	require.ErrorIs(t, err, errAway, "there is nothing to serve")
	source.list, source.err = []string{"https://a.test"}, nil
	_, err = origins.Known(t.Context(), "https://a.test")
	require.NoError(t, err)

	source.err = errAway
	clock.Advance(5 * time.Second)

	for range 10 {
		ok, err := origins.Known(t.Context(), "https://a.test")
		require.NoError(t, err)
		require.True(t, ok)
	}

	require.EqualValues(t, 3, source.asked.Load(), "one try, then a moment's rest")
	source.err = errBroken
	clock.Advance(time.Second)
	_, err = origins.Known(t.Context(), "https://a.test")
	require.ErrorIs(t, err, errBroken)
	source.err = errAway
	clock.Advance(time.Minute)
	_, err = origins.Known(t.Context(), "https://a.test")
	require.ErrorIs(t, err, errAway, "an origin that was withdrawn must not serve for ever")
}

func TestACallerThatGivesUpLeaves(t *testing.T) {
	gate := make(chan struct{})
	origins := appcache.NewOrigins(slow(gate), appcache.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := origins.Known(ctx, "https://a.test")
	require.ErrorIs(t, err, context.Canceled)
	close(gate)
}

func TestTheKnownOriginsServeAfterAMomentWhileTheSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &hangingOrigins{}
		origins := appcache.NewOrigins(source, appcache.Options{})
		_, err := origins.Known(t.Context(), "https://a.test")
		require.NoError(t, err)
		source.hangs = true
		time.Sleep(5 * time.Second)

		began := time.Now()
		ok, err := origins.Known(t.Context(), "https://a.test")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, time.Second, time.Since(began))
	})
}

type hangingOrigins struct{ hangs bool }

func (s *hangingOrigins) Origins(ctx context.Context) ([]string, error) {
	if s.hangs {
		<-ctx.Done()
	}
	return []string{"https://a.test"}, ctx.Err()
}

type slow chan struct{}

func (s slow) Origins(context.Context) ([]string, error) {
	<-s
	return nil, nil
}
