package signing_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
)

// hanging is a schedule whose database hangs until it is released.
type hanging struct {
	signing.Schedule
	hangs    atomic.Bool
	readings atomic.Int32
	begun    chan struct{} // receives at each reading that hangs
	let      chan struct{} // and this ends it
}

func (h *hanging) Keys(ctx context.Context) ([]signing.Key, error) {
	h.readings.Add(1)
	if !h.hangs.Load() {
		return h.Schedule.Keys(ctx)
	}

	h.begun <- struct{}{}
	<-h.let
	return nil, errors.New("the database says nothing")
}

// A token with an unknown kid, which an attacker can make, and a key that is missing
// cause a read of the schedule. While the database hangs, all requests wait for that one
// read, each at most as long as its own deadline, and later ones start no other.
func TestUnknownKidsWaitForOneReadingAtMost(t *testing.T) {
	keys, err := localkeys.Open(t.TempDir() + "/keys")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	schedule := signingtest.NewSchedule(signingtest.NewKey(t, keys, signing.ES256, 1, start))
	hung := &hanging{Schedule: schedule, begun: make(chan struct{}, 99), let: make(chan struct{})}
	now := start
	ring := signing.NewRing(signing.RingOptions{Schedule: hung, Backend: keys, Now: func() time.Time { return now }})
	require.NoError(t, ring.Load(t.Context()))

	other := newBench(t, signing.ES256)
	unknown, err := other.ring.Sign(t.Context(), signing.ES256, "JWT", someClaims)
	require.NoError(t, err)

	for name, call := range map[string]func(context.Context) error{
		"an unknown kid": func(ctx context.Context) error {
			_, err := ring.Verify(ctx, unknown, "JWT")
			return err
		},
		"no key that signs": func(ctx context.Context) error {
			_, err := ring.Sign(ctx, signing.EdDSA, "JWT", someClaims)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			now = now.Add(time.Minute)
			hung.hangs.Store(true)
			before := hung.readings.Load()

			ctx, giveUp := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			for range 50 {
				waiting.Go(func() {
					err := call(ctx)
					var away interface{ Unavailable() bool }
					require.ErrorAs(t, err, &away)
					require.True(t, away.Unavailable())
				})
			}

			<-hung.begun
			giveUp()
			waiting.Wait() // though the reading goes on
			require.Equal(t, before+1, hung.readings.Load())

			hung.let <- struct{}{}
			hung.hangs.Store(false)
			require.Error(t, call(t.Context())) // joins its end, or comes right after it
			require.LessOrEqual(t, hung.readings.Load(), before+1, "the end of a reading counts, not its beginning")
		})
	}
}
