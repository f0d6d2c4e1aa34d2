package vaulttransit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// gate counts the requests of a client and holds them back while it is shut.
type gate struct {
	http.RoundTripper
	requests atomic.Int32
	mu       sync.Mutex
	shut     chan struct{}
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.requests.Add(1)
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()

	if shut != nil {
		select {
		case <-shut:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}

	return g.RoundTripper.RoundTrip(r)
}

// close holds requests back until the returned function is called.
func (g *gate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut := make(chan struct{})
	g.shut = shut
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = nil
		close(shut)
	}
}

// crowd signs in many goroutines.
type crowd struct {
	all  sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (c *crowd) sign(ctx context.Context, e *vaulttransit.Engine, key signing.Key, n int) {
	for i := range n {
		c.all.Go(func() {
			input := fmt.Appendf(nil, "header.payload %d", i)
			signature, err := e.Sign(ctx, key, input)
			if err == nil {
				err = signingtest.Check(key, input, signature)
			}

			c.mu.Lock()
			defer c.mu.Unlock()
			c.errs = append(c.errs, err)
		})
	}
}

func (c *crowd) wait() []error {
	c.all.Wait()
	return c.errs
}

func waitFor(t testing.TB, e *vaulttransit.Engine, waiting int) {
	t.Helper()
	require.Eventually(t, func() bool { return e.Waiting() == waiting }, testkit.Patience, time.Millisecond)
}

func TestWhatArrivesWhileTheSlotsAreBusyTravelsTogether(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	e := open(t, bao, vaulttransit.Options{Client: c, EC: vaulttransit.Limits{Batch: 16, Slots: 1}})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	other := signingtest.NewKey(t, e, signing.EdDSA, 1, time.Now())
	letGo := g.close()
	before := g.requests.Load()
	var all crowd
	all.sign(t.Context(), e, key, 1)
	require.Eventually(t, func() bool { return g.requests.Load() == before+1 }, testkit.Patience, time.Millisecond,
		"the first goes out at once")
	all.sign(t.Context(), e, key, 24)
	waitFor(t, e, 24)
	all.sign(t.Context(), e, other, 3)
	waitFor(t, e, 27)
	letGo()
	require.NoError(t, errors.Join(all.wait()...))
	require.Equal(t, before+4, g.requests.Load(), "one, sixteen, the other key's three, and eight")
}

func TestFamiliesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	one := vaulttransit.Limits{Batch: 1, Slots: 1}
	e := open(t, bao, vaulttransit.Options{Client: c, EC: one, RSA: one})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	rsa := signingtest.NewKey(t, e, signing.RS256, 1, time.Now())
	letGo := g.close()
	before := g.requests.Load()
	var all crowd
	all.sign(t.Context(), e, rsa, 3)
	all.sign(t.Context(), e, key, 3)
	waitFor(t, e, 4)
	require.Eventually(t, func() bool { return g.requests.Load() == before+2 }, testkit.Patience, time.Millisecond)
	letGo()
	require.NoError(t, errors.Join(all.wait()...))
}

func TestACallerThatGoesAwayLeavesTheQueue(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	e := open(t, bao, vaulttransit.Options{Client: c, EC: vaulttransit.Limits{Batch: 64, Slots: 1}})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	letGo := g.close()
	before := g.requests.Load()
	var stay, leave crowd
	stay.sign(t.Context(), e, key, 1)
	require.Eventually(t, func() bool { return g.requests.Load() == before+1 }, testkit.Patience, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	leave.sign(ctx, e, key, 40)
	stay.sign(t.Context(), e, key, 10)
	waitFor(t, e, 50)
	cancel()

	for _, err := range leave.wait() {
		require.ErrorIs(t, err, context.Canceled)
	}

	require.Equal(t, 10, e.Waiting())
	letGo()
	require.NoError(t, errors.Join(stay.wait()...))
	require.Zero(t, e.Waiting())

	// All who wait go away, and the slot is free for the next.
	letGo = g.close()
	ctx, cancel = context.WithCancel(t.Context())
	var gone crowd
	gone.sign(ctx, e, key, 8)
	waitFor(t, e, 7)
	cancel()

	for _, err := range gone.wait() {
		require.ErrorIs(t, err, context.Canceled)
	}

	letGo()
	_, err := e.Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err)
}

func TestCallersThatComeAndGoAreAllAnswered(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	e := open(t, bao, vaulttransit.Options{EC: vaulttransit.Limits{Batch: 8, Slots: 2}})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	var all sync.WaitGroup
	var signed atomic.Int32
	for i := range 64 {
		all.Go(func() {
			for n := range 8 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i*n)%7)*time.Millisecond)
				if signature, err := e.Sign(ctx, key, []byte("input")); err == nil {
					signed.Add(1)
					if err := signingtest.Check(key, []byte("input"), signature); err != nil {
						t.Error(err)
					}
				} else if ctx.Err() == nil {
					t.Error(err)
				}

				cancel()
			}
		})
	}

	all.Wait()
	require.Zero(t, e.Waiting())
	_, err := e.Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err)
	require.Equal(t, "closed", e.BreakerState(), "impatient callers are not the server's fault")
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	e := open(t, bao, vaulttransit.Options{Client: c, EC: vaulttransit.Limits{Batch: 2, Slots: 2}, Queue: 10})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	letGo := g.close()
	var all crowd
	all.sign(t.Context(), e, key, 12)
	waitFor(t, e, 10)

	for range 50 {
		_, err := e.Sign(t.Context(), key, []byte("input"))
		requireReason(t, vaulttransit.QueueFull, err)
		require.True(t, unavailable(err))
		var wait interface{ RetryAfter() time.Duration }
		require.ErrorAs(t, err, &wait)
		require.Equal(t, time.Second, wait.RetryAfter())
	}

	letGo()
	require.NoError(t, errors.Join(all.wait()...))
}

func TestOneBadItemFailsAlone(t *testing.T) {
	t.Parallel()
	e := open(t, prepared(t), vaulttransit.Options{})
	key := signingtest.NewKey(t, e, signing.RS256, 1, time.Now())
	good := make([]byte, 32)
	signatures, errs := e.SendTogether(t.Context(), key, good, []byte("no digest"), good)
	require.NoError(t, errs[0])
	require.NoError(t, errs[2])
	require.Len(t, signatures[0], 256)
	requireReason(t, vaulttransit.Refused, errs[1])
	require.NoError(t, e.Check(t.Context()), "it says nothing about the server")
}

func TestAVersionThatIsGoneFailsAlone(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	e := open(t, bao, vaulttransit.Options{EC: vaulttransit.Limits{Batch: 16, Slots: 1}})
	old := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	key := signingtest.NewKey(t, e, signing.ES256, 2, time.Now())
	future := key
	future.Ref = "platform-es256:v9"
	configure(t, bao, "platform-es256", map[string]any{"min_encryption_version": 2})
	var good, bad crowd
	for range 5 {
		good.sign(t.Context(), e, key, 10)
		bad.sign(t.Context(), e, old, 3)
		bad.sign(t.Context(), e, future, 3)
	}

	require.NoError(t, errors.Join(good.wait()...))

	for _, err := range bad.wait() {
		requireReason(t, vaulttransit.BadVersion, err)
		require.ErrorIs(t, err, signing.ErrKeyMissing)
		require.False(t, unavailable(err), "waiting does not bring it back")
	}

	require.Equal(t, "closed", e.BreakerState())
}

func configure(t testing.TB, bao *testkit.BaoServer, name string, settings map[string]any) {
	t.Helper()
	_, err := bao.Client(t, bao.RootToken).Logical().WriteWithContext(t.Context(),
		"transit/keys/"+name+"/config", settings)
	require.NoError(t, err)
}

// remove deletes a transit key with all of its versions, after allowing that.
func remove(t testing.TB, bao *testkit.BaoServer, name string) {
	t.Helper()
	configure(t, bao, name, map[string]any{"deletion_allowed": true})
	_, err := bao.Client(t, bao.RootToken).Logical().DeleteWithContext(t.Context(), "transit/keys/"+name)
	require.NoError(t, err)
}

func requireReason(t testing.TB, want vaulttransit.Reason, err error) {
	t.Helper()
	var known *vaulttransit.Error
	require.ErrorAs(t, err, &known)
	require.Equal(t, want, known.Reason, "%v", err)
	require.NotContains(t, err.Error(), "\n")
}

func unavailable(err error) bool {
	var u interface{ Unavailable() bool }
	return errors.As(err, &u) && u.Unavailable()
}

func TestWhatIsAskedAfterTheEndIsRefused(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	e, err := vaulttransit.New(vaulttransit.Options{Client: c, EC: vaulttransit.Limits{Batch: 4, Slots: 1}})
	require.NoError(t, err)
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	letGo := g.close()
	before := g.requests.Load()
	var under crowd
	under.sign(t.Context(), e, key, 1)
	require.Eventually(t, func() bool { return g.requests.Load() == before+1 }, testkit.Patience, time.Millisecond)
	under.sign(t.Context(), e, key, 3)
	waitFor(t, e, 3)
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := e.Sign(ctx, key, []byte("input"))
		var known *vaulttransit.Error
		return errors.As(err, &known) && known.Reason == vaulttransit.Closed
	}, testkit.Patience, time.Millisecond)

	letGo()
	require.NoError(t, <-closed)
	signed := 0
	for _, err := range under.wait() {
		if err == nil {
			signed++
		}
	}

	require.Equal(t, 1, signed, "what was sent arrives, and what waits gets an error")
}
