package limits

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Counter is where flows are counted; the store of this library is one.
type Counter interface {
	Fail(ctx context.Context, now time.Time, rule Rule, key Key) (until time.Time, err error)
}

// Flows bounds how many sign-ins one address may start, whichever service stores
// them: a flow is a row that nobody had to prove anything for, and it lies there
// for half an hour.
type Flows struct {
	Counter Counter
	// Secret is what keys are made with.
	Secret []byte
	// Most is how many an address may start in each Window.
	Most   int
	Window time.Duration
}

// Start counts a flow that an address is about to start; *[Error] when it has
// started too many. Windows lie end to end and each has a key of its own, so that
// an office which signs in all day long never adds up. Without an address nothing
// is counted.
func (f *Flows) Start(ctx context.Context, now time.Time, addr netip.Addr) error {
	address := Address(addr)
	if address == "" {
		return nil
	}
	begin := now.Truncate(f.Window)
	rest := begin.Add(f.Window).Sub(now)
	rule := Rule{Failures: f.Most + 1, Window: f.Window, MinDelay: rest, MaxDelay: rest}
	key := NewKey(f.Secret, "flow", address, strconv.FormatInt(begin.Unix(), 10))
	until, err := f.Counter.Fail(ctx, now, rule, key)
	if err != nil {
		return fmt.Errorf("count a started sign-in: %w", err)
	}
	return Refuse(Flow, until, now)
}
