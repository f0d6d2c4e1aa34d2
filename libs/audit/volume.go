package audit

import (
	"maps"
	"strconv"
	"sync"
	"time"
)

const (
	// window is how long the same thing is counted together.
	window = time.Hour
	// countedEach is how many of counted events are written each, so that a person's
	// reference is found; of more there is the count.
	countedEach = 10
	// counters is how many different things are counted at a time.
	counters = 10_000
	// defaultSample is which of sampled events is written, beside the first.
	defaultSample = 100
)

// Counter decides which events of counted and sampled kinds are written, so that an
// attacker, or an application at its ordinary work, does not flood the trail. It
// counts in memory, each replica for itself.
type Counter struct {
	mu     sync.Mutex
	sample int
	counts map[string]int
	since  time.Time
}

// NewCounter makes a Counter that writes each so-manieth of sampled events; 1: all
// of them, 0: each hundredth.
func NewCounter(sample int) *Counter {
	if sample <= 0 {
		sample = defaultSample
	}
	return &Counter{sample: sample, counts: map[string]int{}}
}

// Admit reports whether an event is written, and returns it with the count of its
// like since the window began.
func (c *Counter) Admit(e Event, at time.Time) (Event, bool) {
	volume := Info(e.Kind).Volume

	if e.Detail["count"] != "" { // by another Counter, before
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

// likeness is what events have in common that are counted together: of blocks whom
// they protect and from where, of exchanges between whom they are.
func (e Event) likeness() string {
	key := string(e.Kind) + "\x00" + e.ClientID + "\x00"
	if e.Kind == TokenExchanged {
		return key + e.Detail["audience"] + "\x00" + e.Detail["actor"]
	}
	return key + e.Account + "\x00" + e.UserID + "\x00" + e.Address + "\x00" + e.Detail["limit"]
}

func powerOfTen(n int) bool {
	for n%10 == 0 && n > 0 {
		n /= 10
	}
	return n == 1
}
