package audit

import (
	"maps"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/limits"
)

const (
	// window is how long similar events are counted together.
	window = time.Hour
	// countedEach is how many of a set of similar counted events are written each, so that a
	// person's reference can be found. Of further ones, only the count is written.
	countedEach = 10
	// counters is how many sets of similar events are counted at a time.
	counters = 10_000
	// defaultSample is the default sampling: the first of the sampled events is written, and
	// then one in this many.
	defaultSample = 100
)

// Counter decides which events of counted and sampled kinds are written, so that neither an
// attack nor the ordinary work of an application floods the trail. It counts in memory,
// separately in each replica.
type Counter struct {
	mu     sync.Mutex
	sample int
	counts map[string]int
	since  time.Time
}

// NewCounter returns a Counter that writes one in sample of the sampled events: 1 writes all,
// and 0 stands for one in a hundred.
func NewCounter(sample int) *Counter {
	if sample <= 0 {
		sample = defaultSample
	}
	return &Counter{sample: sample, counts: map[string]int{}}
}

// Admit reports whether an event should be written, and returns it with the count of similar
// events since the window began.
func (c *Counter) Admit(e Event, at time.Time) (Event, bool) {
	volume := Info(e.Kind).Volume

	if e.Detail["count"] != "" { // counted by another Counter before
		return e, true
	}

	if volume != Counted && volume != Sampled {
		return e, true
	}

	n, since := c.count(e.likeness(), at)
	if volume == Counted && n > countedEach && !powerOfTen(n) {
		return e, false
	}

	if volume == Sampled && n != 1 && n%c.sample != 0 {
		return e, false
	}

	e.Detail = maps.Clone(e.Detail)
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}

	e.Detail["count"], e.Detail["since"] = strconv.Itoa(n), since.Format(time.RFC3339)
	return e, true
}

func (c *Counter) count(likeness string, at time.Time) (n int, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if began := at.UTC().Truncate(window); !began.Equal(c.since) {
		clear(c.counts)
		c.since = began
	}

	if _, known := c.counts[likeness]; !known && len(c.counts) >= counters {
		likeness = "" // all others together
	}

	c.counts[likeness]++
	return c.counts[likeness], c.since
}

// likeness returns what similar events, which are counted together, have in common: for blocks
// the account protected and the site that they come from, since an attacker may have all of its
// addresses; for exchanges the parties.
func (e Event) likeness() string {
	key := string(e.Kind) + "\x00" + e.ClientID + "\x00"
	if e.Kind == TokenExchanged {
		return key + e.Detail["audience"] + "\x00" + e.Detail["actor"]
	}

	origin := e.Address
	if address, err := netip.ParseAddr(e.Address); err == nil {
		origin = limits.Site(address)
	}

	return key + e.Account + "\x00" + e.UserID + "\x00" + origin + "\x00" + e.Detail["limit"]
}

func powerOfTen(n int) bool {
	for n%10 == 0 && n > 0 {
		n /= 10
	}
	return n == 1
}
