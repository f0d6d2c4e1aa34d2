package limits

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Counter counts flows; this library's store implements it.
type Counter interface {
	Take(ctx context.Context, now time.Time, claims ...Claim) (taken []Taken, until time.Time, err error)
}

// Starts limits how many sign-ins one browser and one network may start, whichever service
// stores them: a flow is a row that anyone can create without proving anything, and it is kept
// for about an hour. Only rows are counted; a flow sealed in a URL is free.
//
// Many people may share an address, and one of them can use up its allowance by dropping
// cookies, which makes each flow look like that of another browser. An account whose person has
// proved who they are therefore has a share of its own, see [Starts.StartKnown]. So there are at
// most as many rows as the networks and the accounts that exist have shares.
//
// Other requests that store a row may have the same limits, counted apart; see [Starts.Of].
type Starts struct {
	Counter Counter
	// Secret is the secret for making keys.
	Secret []byte
	// Most is how many flows an address may start in each Window; see [Shares] for the networks
	// around it. A browser has a share of it, so that one browser can't use up the allowance of
	// a whole office, and so has an account.
	Most   int
	Window time.Duration

	what string // what is counted; see Of
}

// Of returns the same limits for something other than sign-ins. It is counted apart, so that it
// uses up nothing of what sign-ins have, nor they of its own.
func (f *Starts) Of(what string) *Starts {
	other := *f
	other.what = what
	return &other
}

// A browser may start a tenth of what its address may, but at least leastShare if its address
// may start that many.
const (
	browserShare = 10
	leastShare   = 20
)

// StartIn counts a flow that a browser is about to start, for the browser, identified by the
// hash of its cookie, and for the networks of its address. It returns an *[Error] if that is
// one too many for any of them, and then counts it for none. browser is nil if the request had
// no cookie.
func (f *Starts) StartIn(ctx context.Context, now time.Time, browser []byte, addr netip.Addr) error {
	claims := f.networks(now, addr)
	if len(browser) > 0 {
		claims = append(claims, f.share(now, "of a browser", string(browser)))
	}
	return f.take(ctx, now, claims)
}

// Start counts a flow that an address is about to start. It returns an *[Error] if the address
// or a network around it has started too many. Without an address nothing is counted.
func (f *Starts) Start(ctx context.Context, now time.Time, addr netip.Addr) error {
	return f.take(ctx, now, f.networks(now, addr))
}

// StartKnown counts a flow of a person who is signed in, or whose browser proved that they
// signed in with it before. The account, identified by its key from [Account], has a share of
// its own, however many browsers it is signed in with, and whatever others at its address have
// used up. Only beyond that share it is counted as by StartIn.
func (f *Starts) StartKnown(
	ctx context.Context, now time.Time, account Key, browser []byte, addr netip.Addr,
) error {
	err := f.take(ctx, now, []Claim{f.share(now, "of an account", string(account))})
	if _, used := errors.AsType[*Error](err); used {
		return f.StartIn(ctx, now, browser, addr)
	}
	return err
}

// kind is the part of the keys that says what is counted.
func (f *Starts) kind() string { return cmp.Or(f.what, "flow") }

func (f *Starts) share(now time.Time, whose, id string) Claim {
	share := min(f.Most, max(f.Most/browserShare, leastShare))
	return Claim{
		Key:  NewKey(f.Secret, f.kind()+" "+whose, f.window(now), id),
		Rule: f.rule(now, share),
	}
}

func (f *Starts) networks(now time.Time, addr netip.Addr) []Claim {
	if !addr.IsValid() {
		return nil
	}
	return NetworkClaims(f.Secret, addr, f.rule(now, f.Most), f.kind(), f.window(now))
}

// rule blocks until the window ends once so many flows have been started in it.
func (f *Starts) rule(now time.Time, most int) Rule {
	rest := now.Truncate(f.Window).Add(f.Window).Sub(now)
	return Rule{
		Failures: most,
		Window:   f.Window,
		MinDelay: rest,
		MaxDelay: rest,
	}
}

// window names the current one of consecutive windows. Each has keys of its own, so that the
// count of an office that signs in all day doesn't grow without end.
func (f *Starts) window(now time.Time) string {
	return strconv.FormatInt(now.Truncate(f.Window).Unix(), 10)
}

func (f *Starts) take(ctx context.Context, now time.Time, claims []Claim) error {
	_, until, err := f.Counter.Take(ctx, now, claims...)
	if err != nil {
		return fmt.Errorf("count a started %s: %w", f.kind(), err)
	}
	return Refuse(Flow, until, now)
}
