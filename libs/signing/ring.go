package signing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultRefresh = time.Minute
	// emptyRetry is how soon Run looks again while there is no key at all: a
	// service that starts together with the keys service waits no longer.
	emptyRetry = 250 * time.Millisecond
	// errorRetry bounds how long Run waits after a failed reading.
	errorRetry = 5 * time.Second
	// missReload bounds how often an unknown kid or a missing algorithm may make
	// the ring read the schedule: a stranger can send any kid.
	missReload  = 5 * time.Second
	loadTimeout = 5 * time.Second
)

// RingOptions are what a Ring needs. Schedule is required.
type RingOptions struct {
	Schedule Schedule
	Backend  Backend          // nil: the ring only verifies
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: silent
	// Refresh is how long Run waits between two readings; at most a quarter of
	// the time a key is published ahead, so that no replica misses a rotation.
	// Zero: one minute.
	Refresh time.Duration
	// Changed has Run read at once when it receives, for a key may have been
	// revoked; nil: never.
	Changed <-chan struct{}
}

// Ring holds the keys of the schedule in memory, signs with the active one and
// verifies with all. Safe for concurrent use; signing and verifying take no lock.
type Ring struct {
	schedule Schedule
	backend  Backend
	now      func() time.Time
	log      *slog.Logger
	refresh  time.Duration
	changed  <-chan struct{}

	current atomic.Pointer[snapshot]

	loading sync.Mutex // one reading at a time, so that an older one never wins

	missing  sync.Mutex // guards lastMiss, and makes all wait for one reading
	lastMiss time.Time
}

// NewRing makes an empty ring; Load or Run fills it.
func NewRing(o RingOptions) *Ring {
	r := &Ring{schedule: o.Schedule, backend: o.Backend, now: o.Now, log: o.Logger, refresh: o.Refresh, changed: o.Changed}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.refresh <= 0 {
		r.refresh = defaultRefresh
	}
	r.current.Store(&snapshot{})
	return r
}

// Load reads the schedule once. On an error the ring keeps what it had.
func (r *Ring) Load(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	keys, err := r.schedule.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the schedule of signing keys: %w", err)
	}
	next, err := newSnapshot(keys)
	if err != nil {
		return err
	}
	r.current.Store(next)
	return nil
}

// Run reads the schedule every Refresh, and when Changed says so, until ctx ends,
// which is no error. While
// the ring is empty it tries again at once; when the schedule cannot be read it
// keeps the last good set and says so once.
func (r *Ring) Run(ctx context.Context) error {
	failing := false
	for {
		err := r.Load(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end of the process is no failure
		case err != nil && !failing:
			r.log.WarnContext(ctx, "signing keys cannot be read, keeping the last ones", slog.Any("error", err))
		case err == nil && failing:
			r.log.InfoContext(ctx, "signing keys can be read again")
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

func (r *Ring) pause(err error) time.Duration {
	switch {
	case r.current.Load().empty():
		return min(r.refresh, emptyRetry)
	case err != nil:
		return min(r.refresh, errorRetry)
	default:
		return r.refresh
	}
}

// Ready is nil once there is a key to publish, else ErrNoKey.
func (r *Ring) Ready() error {
	if now := r.now(); slices.ContainsFunc(r.current.Load().keys, func(k Key) bool { return k.Published(now) }) {
		return nil
	}
	return ErrNoKey
}

// Published returns the keys that belong into the JWKS now, by algorithm and
// generation.
func (r *Ring) Published() []Key {
	now := r.now()
	return slices.DeleteFunc(slices.Clone(r.current.Load().keys), func(k Key) bool { return !k.Published(now) })
}

// reloadOnMiss reads the schedule because seen lacks something, unless that was
// done moments ago, and returns what is current then. Callers that come while a
// reading is under way wait for it.
func (r *Ring) reloadOnMiss(ctx context.Context, seen *snapshot) *snapshot {
	r.missing.Lock()
	defer r.missing.Unlock()
	if current := r.current.Load(); current != seen {
		return current
	}
	now := r.now()
	if elapsed := now.Sub(r.lastMiss); elapsed >= 0 && elapsed < missReload {
		return seen
	}
	r.lastMiss = now
	if err := r.Load(ctx); err != nil && !errors.Is(err, context.Canceled) {
		r.log.WarnContext(ctx, "signing keys cannot be read", slog.Any("error", err))
	}
	return r.current.Load()
}
