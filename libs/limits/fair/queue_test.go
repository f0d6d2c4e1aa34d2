package fair_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/limits/fair"
)

// network is a source of requests in a simulation.
type network struct {
	rate  int                       // requests a second
	path  func(n int) limits.Caller // of the nth request
	sent  int
	done  int
	waits []time.Duration
}

func from(pattern string) func(n int) limits.Caller {
	return func(n int) limits.Caller {
		return limits.Caller{Address: netip.MustParseAddr(fmt.Sprintf(pattern, n%250+1))}
	}
}

// simulate runs a queue by a clock of its own: nothing waits and nothing depends on the machine. It returns when the
// given time has passed.
func simulate(queue *fair.Queue, work, length time.Duration, networks ...*network) {
	type job struct {
		*fair.Ticket
		of      *network
		entered time.Duration
		ends    time.Duration
	}

	var jobs []*job
	const tick = time.Millisecond
	for now := time.Duration(0); now < length; now += tick {
		for _, n := range networks {
			if int64(n.sent)*int64(time.Second) <= int64(n.rate)*int64(now) {
				jobs = append(jobs, &job{Ticket: queue.Enter(n.path(n.sent).Path()), of: n, entered: now})
				n.sent++
			}
		}

		kept := jobs[:0]
		for _, j := range jobs {
			select {
			case <-j.Called():
			default:
				kept = append(kept, j)
				continue
			}

			switch {
			case !j.Holds():
				j.Leave()
			case j.ends == 0:
				j.ends = now + work
				kept = append(kept, j)
			case j.ends <= now:
				j.Leave()
				j.of.done++
				j.of.waits = append(j.of.waits, now-j.entered)
			default:
				kept = append(kept, j)
			}
		}

		jobs = kept
	}
}

// A network cannot keep another one from being served, at whatever prefix it is one (RFC 6177, RFC 4291 2.5.4).
func TestNoNetworkKeepsAnotherFromBeingServed(t *testing.T) {
	const work = 60 * time.Millisecond // 16 requests a second
	for name, c := range map[string]struct {
		flood func(n int) limits.Caller
		other string
	}{
		"an IPv6 /48 from all of its /64s": {
			func(n int) limits.Caller { return from(fmt.Sprintf("2001:db8:1:%x::%%x", n%65536))(n) }, "2001:db8:2::%x",
		},
		"an IPv6 /56 beside another": {
			func(n int) limits.Caller { return from(fmt.Sprintf("2001:db8:1:%x::%%x", n%256))(n) },
			"2001:db8:1:100::%x",
		},
		"an IPv6 /32 from all of its /48s": {
			func(n int) limits.Caller { return from(fmt.Sprintf("2001:db8:%x::%%x", n%65536))(n) }, "2001:db9::%x",
		},
		"an IPv6 /64 beside another":         {from("2001:db8:1:1::%x"), "2001:db8:1:2::%x"},
		"an IPv4 /24 from all its addresses": {from("192.0.2.%d"), "198.51.100.%d"},
		"an IPv4 address beside its neighbour": {
			func(int) limits.Caller { return from("192.0.2.%d")(0) }, "192.0.2.200",
		},
		"requests without an address": {func(int) limits.Caller { return limits.Caller{} }, "192.0.2.%d"},
	} {
		t.Run(name, func(t *testing.T) {
			other := from(c.other)
			if c.other == "192.0.2.200" {
				other = func(int) limits.Caller { return limits.Caller{Address: netip.MustParseAddr(c.other)} }
			}

			flood, person := &network{rate: 34, path: c.flood}, &network{rate: 2, path: other}
			simulate(fair.New(1, 32), work, time.Minute, flood, person)

			require.GreaterOrEqual(t, person.done, person.sent-1, "every request of the other network is served")

			for _, wait := range person.waits {
				require.LessOrEqual(t, wait, 4*work, "after two of the flood at most")
			}

			require.Greater(t, flood.done, 800, "the flood has what is left")
		})
	}
}

// A browser that the account knows has a place whatever unknown browsers do, and an account has no more than its share of
// these places.
func TestPlacesAreKeptForBrowsersThatSignedInBefore(t *testing.T) {
	const work = 60 * time.Millisecond
	everywhere := &network{rate: 500, path: func(n int) limits.Caller { // a network of its own each time
		return limits.Caller{Address: netip.AddrFrom4([4]byte{11, byte(n >> 8), byte(n), 1})}
	}}
	insider := &network{rate: 100, path: func(int) limits.Caller { return limits.Caller{Known: "insider"} }}
	person := &network{rate: 2, path: func(int) limits.Caller { return limits.Caller{Known: "person"} }}
	simulate(fair.New(1, 32), work, time.Minute, everywhere, insider, person)

	require.GreaterOrEqual(t, person.done, person.sent-1)

	for _, wait := range person.waits {
		require.LessOrEqual(t, wait, 6*work)
	}

	require.Greater(t, everywhere.done, 400, "unknown browsers keep their half")
}

func TestASlotGoesToEachNetworkInTurn(t *testing.T) {
	queue := fair.New(1, 10)
	busy := queue.Enter([]string{"x"})
	require.True(t, busy.Holds())
	var order []string
	tickets := map[string]*fair.Ticket{}
	for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
		tickets[name] = queue.Enter([]string{name[:1]})
	}

	tickets["a2"].Leave() // gave up waiting
	delete(tickets, "a2")
	busy.Leave()

	for len(tickets) > 0 {
		for name, ticket := range tickets {
			if ticket.Holds() {
				order = append(order, name)
				ticket.Leave()
				ticket.Leave() // has no effect
				delete(tickets, name)
				break
			}
		}
	}

	require.Equal(t, []string{"a1", "b1", "c1", "a3", "b2"}, order)
	require.True(t, queue.Enter(nil).Holds(), "the slot is free again")
}

func TestAFullQueueTurnsAwayTheNewestOfTheLargest(t *testing.T) {
	queue := fair.New(1, 3)
	queue.Enter([]string{"x"})
	a1, a2, a3 := queue.Enter([]string{"a", "1"}), queue.Enter([]string{"a", "2"}), queue.Enter([]string{"a", "2"})
	a4 := queue.Enter([]string{"a", "3"})
	require.ErrorIs(t, a3.Wait(t.Context()), fair.ErrFull, "a/2 had two places, a/3 none")
	b := queue.Enter([]string{"b"})
	require.ErrorIs(t, a4.Wait(t.Context()), fair.ErrFull, "a had three places, b none: the newest of a goes")
	again := queue.Enter([]string{"a", "1"})
	require.ErrorIs(t, again.Wait(t.Context()), fair.ErrFull, "a has more than b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	for _, ticket := range []*fair.Ticket{a1, a2, b} {
		require.ErrorIs(t, ticket.Wait(ctx), context.Canceled, "waits on")
	}
}

func TestManyAtOnceNeverHoldMoreThanTheSlots(t *testing.T) {
	const slots = 3
	queue := fair.New(slots, 10)
	var holding, most, served atomic.Int32
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()

			if i%7 == 0 {
				cancel()
			}

			ticket := queue.Enter([]string{fmt.Sprint(rand.N(5)), fmt.Sprint(i % 3)})
			defer ticket.Leave()

			if ticket.Wait(ctx) != nil {
				return
			}

			now := holding.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			holding.Add(-1)
			served.Add(1)
		})
	}

	wg.Wait()
	require.LessOrEqual(t, most.Load(), int32(slots))
	require.Positive(t, served.Load())

	for range slots {
		require.True(t, queue.Enter(nil).Holds(), "all slots are free again")
	}
}
