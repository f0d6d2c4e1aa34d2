package signing

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"resenje.org/singleflight"
)

const (
	defaultRefresh = 5 * time.Second
	// emptyRetry is how soon Run reads again while there is no key at all, so that a service
	// that starts together with the keys service waits no longer.
	emptyRetry = 250 * time.Millisecond
	// errorRetry bounds how long Run waits after a failed read.
	errorRetry = 5 * time.Second
	// missReload bounds how often an unknown kid may make the ring read the schedule, because
	// an attacker can send any kid.
	missReload = 5 * time.Second
	// loadTimeout bounds a read that no caller waits for.
	loadTimeout = 5 * time.Second
	// staleAfter is the age of the last successful read at which the ring reports a failure,
	// since it may have missed a revocation.
	staleAfter = time.Minute
)

// RingOptions configures a Ring. Schedule is required.
type RingOptions struct {
	Schedule Schedule
	Backend  Backend          // nil: the ring only verifies
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: silent
	// Refresh is the longest Run waits between two reads. It must be at most a quarter of the
	// time a key is published ahead, so that no replica misses a rotation. It bounds how long a
	// revoked key is still honoured. Zero means five seconds.
	Refresh time.Duration
	// Changed makes Run read at once when it receives, since a key may have been revoked. It
	// may be nil.
	Changed <-chan struct{}
	// Lookups counts the tokens that were seen before and those whose signatures had to be
	// checked. It may be nil.
	Lookups Lookups
}

// Lookups counts the look-ups of a cache; a *cachestats.Stats does.
type Lookups interface {
	Hit()
	Miss()
}

type uncounted struct{}

func (uncounted) Hit()  {}
func (uncounted) Miss() {}

// Ring holds the keys of the schedule in memory, signs with the active one and verifies with
// all of them. It remembers the tokens that it has verified. It is safe for concurrent use;
// signing takes no lock.
type Ring struct {
	schedule Schedule
	backend  Backend
	now      func() time.Time
	log      *slog.Logger
	refresh  time.Duration
	changed  <-chan struct{}

	current atomic.Pointer[snapshot]
	seen    *seenTokens
	lookups Lookups

	loading sync.Mutex // one read at a time, so that an older one never wins

	lastLoaded atomic.Int64 // when, as Unix nanoseconds

	reads     singleflight.Group[struct{}, struct{}] // the read that callers wait for
	missing   sync.Mutex                             // guards the fields below
	lastMiss  time.Time                              // when such reads ended
	lastNoKey time.Time
}

// NewRing returns an empty ring. Load or Run fills it.
func NewRing(o RingOptions) *Ring {
	r := &Ring{
		schedule: o.Schedule,
		backend:  o.Backend,
		now:      o.Now,
		log:      o.Logger,
		refresh:  o.Refresh,
		changed:  o.Changed,
		lookups:  o.Lookups,
	}
	if r.now == nil {
		r.now = time.Now
	}

	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}

	if r.refresh <= 0 {
		r.refresh = defaultRefresh
	}

	if r.lookups == nil {
		r.lookups = uncounted{}
	}

	r.current.Store(&snapshot{})
	r.seen = newSeenTokens(&r.current)
	return r
}

// Seen returns the number of tokens that the ring remembers.
func (r *Ring) Seen() int { return r.seen.len() }

// Load reads the schedule once, for five seconds at most. On an error the ring keeps its keys.
func (r *Ring) Load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	r.loading.Lock()
	defer r.loading.Unlock()
	return r.load(ctx)
}

// load reads the schedule; the caller holds loading.
func (r *Ring) load(ctx context.Context) error {
	keys, err := r.schedule.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the schedule of signing keys: %w", err)
	}

	next, err := newSnapshot(keys)
	if err != nil {
		return err
	}

	r.current.Store(next)
	r.seen.forget(r.now())
	r.lastLoaded.Store(r.now().UnixNano())
	return nil
}

// Run reads the schedule every Refresh, and when Changed receives, until ctx ends, which isn't
// an error. While the ring is empty it retries sooner. If the schedule can't be read, it keeps
// the last good keys and logs that once.
func (r *Ring) Run(ctx context.Context) error {
	failing := false
	for {
		err := r.Load(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the process is ending
		case err != nil && !failing:
			r.log.WarnContext(ctx, "can't read signing keys; keeping the last ones", slog.Any("error", err))
		case err == nil && failing:
			r.log.InfoContext(ctx, "recovered: signing keys can be read")
		}

		failing = err != nil
		timer := time.NewTimer(r.pause(err))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// pause returns a pause shortened at random by up to a tenth, so that replicas that started, or
// lost the database, at the same time don't stay in step.
func (r *Ring) pause(err error) time.Duration {
	pause := r.refresh
	switch {
	case r.current.Load().empty():
		pause = min(pause, emptyRetry)
	case err != nil:
		pause = min(pause, errorRetry)
	}
	return pause - rand.N(pause/10+1) //nolint:gosec // no secret
}

// Ready returns nil once there is a key to publish, and ErrNoKey before.
func (r *Ring) Ready() error {
	if now := r.now(); slices.ContainsFunc(r.current.Load().keys, func(k Key) bool { return k.Published(now) }) {
		return nil
	}
	return ErrNoKey
}

// CanSign returns nil if some key signs and the schedule was read within the last minute. A
// ring that can't read the schedule goes on with the keys it has, but may have missed a
// revocation.
func (r *Ring) CanSign() error {
	now := r.now()
	if !slices.ContainsFunc(r.current.Load().keys, func(k Key) bool { return k.Signs(now) }) {
		return ErrNoKey
	}
	if age := now.Sub(time.Unix(0, r.lastLoaded.Load())); age > r.refresh+staleAfter {
		return fmt.Errorf("signing: the schedule of keys was last read %s ago", age.Round(time.Second))
	}
	return nil
}

// Published returns the keys that belong in the JWKS now, by algorithm and generation.
func (r *Ring) Published() []Key {
	now := r.now()
	return slices.DeleteFunc(slices.Clone(r.current.Load().keys), func(k Key) bool { return !k.Published(now) })
}

// reloadOnMiss reads the schedule because seen lacks a kid that a token names, unless that was
// done moments ago, and returns the snapshot current afterwards. Callers that arrive during a
// read wait for it, each until its own ctx ends.
func (r *Ring) reloadOnMiss(ctx context.Context, seen *snapshot) *snapshot {
	return r.reload(ctx, seen, &r.lastMiss, missReload)
}

// reloadOnNoKey does the same because no key signs, and may do so again sooner: an attacker
// can't cause this, and it ends when the keys service has made a key.
func (r *Ring) reloadOnNoKey(ctx context.Context, seen *snapshot) *snapshot {
	return r.reload(ctx, seen, &r.lastNoKey, emptyRetry)
}

// reload reads the schedule, or joins the read in progress. All callers that wait share one
// read, which goes on until the last of them leaves. The interval counts from its end, so that
// a database that hangs never gets a second read for callers that arrived meanwhile.
func (r *Ring) reload(ctx context.Context, seen *snapshot, last *time.Time, every time.Duration) *snapshot {
	if !r.due(seen, last, every) {
		return r.current.Load()
	}

	_, _, _ = r.reads.Do(ctx, struct{}{}, func(ctx context.Context) (struct{}, error) {
		r.loading.Lock()
		defer r.loading.Unlock()

		// Meanwhile the callers may have left, or another read ended.
		if ctx.Err() != nil || !r.due(seen, last, every) {
			return struct{}{}, nil
		}

		if err := r.load(ctx); err != nil {
			r.log.WarnContext(ctx, "can't read signing keys", slog.Any("error", err))
		}

		r.missing.Lock()
		defer r.missing.Unlock()
		*last = r.now()
		return struct{}{}, nil
	})

	return r.current.Load()
}

// due reports whether the schedule may be read: seen is still current, and the last such read
// ended long enough ago.
func (r *Ring) due(seen *snapshot, last *time.Time, every time.Duration) bool {
	r.missing.Lock()
	defer r.missing.Unlock()
	elapsed := r.now().Sub(*last)
	return r.current.Load() == seen && (elapsed < 0 || elapsed >= every)
}
