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

// Flows bounds how many sign-ins one browser and one address may start, whichever
// service stores them: a flow is a row that cost no proof of anything, and it lies
// there for an hour. Only rows are counted: what lives in an address is free.
type Flows struct {
	Counter Counter
	// Secret is what keys are made with.
	Secret []byte
	// Most is how many an address may start in each Window. A browser has a share of
	// it, so that one browser does not use up what an office has.
	Most   int
	Window time.Duration
}

// A browser may start a tenth of what its address may, but not fewer than leastShare,
// where the address may start so many.
const (
	browserShare = 10
	leastShare   = 20
)

// StartIn counts a flow that a browser is about to start: first of the browser, which
// is known by the hash of its cookie, then of its address. *[Error] when it is one too
// many of either; what is too many for the browser does not count for the address.
// browser is nil where the request brought no cookie.
func (f *Flows) StartIn(ctx context.Context, now time.Time, browser []byte, addr netip.Addr) error {
	if len(browser) > 0 {
		share := min(f.Most, max(f.Most/browserShare, leastShare))
		if err := f.count(ctx, now, share, "flow of a browser", string(browser)); err != nil {
			return err
		}
	}
	return f.Start(ctx, now, addr)
}

// Start counts a flow that an address is about to start; *[Error] when it has
// started too many. Without an address nothing is counted.
func (f *Flows) Start(ctx context.Context, now time.Time, addr netip.Addr) error {
	address := Address(addr)
	if address == "" {
		return nil
	}
	return f.count(ctx, now, f.Most, "flow", address)
}

// count counts in windows that lie end to end and have a key each, so that an office
// which signs in all day long never adds up.
func (f *Flows) count(ctx context.Context, now time.Time, most int, what, of string) error {
	begin := now.Truncate(f.Window)
	rest := begin.Add(f.Window).Sub(now)
	rule := Rule{
		Failures: most + 1,
		Window:   f.Window,
		MinDelay: rest,
		MaxDelay: rest,
	}

	key := NewKey(f.Secret, what, of, strconv.FormatInt(begin.Unix(), 10))
	until, err := f.Counter.Fail(ctx, now, rule, key)
	if err != nil {
		return fmt.Errorf("count a started sign-in: %w", err)
	}

	return Refuse(Flow, until, now)
}
