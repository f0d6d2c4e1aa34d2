package limits

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Counter counts flows; this library's store implements it.
type Counter interface {
	Fail(ctx context.Context, now time.Time, rule Rule, key Key) (until time.Time, err error)
}

// Flows limits how many sign-ins one browser and one address may start, whichever service
// stores them: a flow is a row that anyone can create without proving anything, and it is kept
// for about an hour. Only rows are counted; a flow sealed in a URL is free.
type Flows struct {
	Counter Counter
	// Secret is the secret for making keys.
	Secret []byte
	// Most is how many flows an address may start in each Window. A browser has a share of it,
	// so that one browser can't use up the allowance of a whole office.
	Most   int
	Window time.Duration
}

// A browser may start a tenth of what its address may, but at least leastShare if its address
// may start that many.
const (
	browserShare = 10
	leastShare   = 20
)

// StartIn counts a flow that a browser is about to start, first for the browser, identified by
// the hash of its cookie, then for its address. It returns an *[Error] if that is one too many
// for either; a flow that is too many for the browser doesn't count for the address. browser is
// nil if the request had no cookie.
func (f *Flows) StartIn(ctx context.Context, now time.Time, browser []byte, addr netip.Addr) error {
	if len(browser) > 0 {
		share := min(f.Most, max(f.Most/browserShare, leastShare))
		if err := f.count(ctx, now, share, "flow of a browser", string(browser)); err != nil {
			return err
		}
	}
	return f.Start(ctx, now, addr)
}

// Start counts a flow that an address is about to start. It returns an *[Error] if the address
// has started too many. Without an address nothing is counted.
func (f *Flows) Start(ctx context.Context, now time.Time, addr netip.Addr) error {
	address := Address(addr)
	if address == "" {
		return nil
	}
	return f.count(ctx, now, f.Most, "flow", address)
}

// count counts in consecutive windows, each with its own key, so that the count of an office
// that signs in all day doesn't grow without end.
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
