package appcache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"resenje.org/singleflight"

	"github.com/platform-oauth/platform-oauth/libs/cachestats"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// maxUnknownID is the longest client_id, in bytes, whose absence is remembered, so that
// invented ids can't fill the memory. Registered ones are shorter.
const maxUnknownID = 128

// Source reads applications from a store. It returns directory.ErrNotFound for one that does
// not exist. An error that [oauth.IsUnavailable] means that the source is down.
type Source interface {
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// Changes reports which applications change; a [changes.Watcher] does.
type Changes interface {
	// Subscribe arranges for f to be called with the client_id of each changed application, or
	// "" if any may have changed.
	Subscribe(topic changes.Topic, f func(clientID string))
	// Told returns the time up to which every change has been reported.
	Told() time.Time
}

// Options are the bounds of the cache. Zero values stand for the defaults given.
type Options struct {
	TTL     time.Duration // maximum age of an entry: 5 s
	ToldTTL time.Duration // maximum age while Changes reports changes: 1 min
	// NegativeTTL is how long an absence is remembered, and how soon a source that is down is
	// asked again: 1 s.
	NegativeTTL time.Duration
	Stale       time.Duration // how much longer an entry is served while the source is down: 1 min
	// Patience is how long a load may take before the callers are served the entry they have,
	// if it may still be served: 1 s. Without one they wait as long as their contexts allow.
	Patience time.Duration
	Size     int // maximum number of applications kept, and of absences: 10,000
	Now      func() time.Time
	// Component and MeterProvider are passed to cachestats.Of.
	Component     string
	MeterProvider metric.MeterProvider
	Changes       Changes // nil: changes aren't reported, entries live for TTL
}

// Cache is a bounded cache in front of a Source. Concurrent misses for one application share a
// load, which goes on until the last of its callers gives up. It is safe for concurrent use.
type Cache struct {
	source Source
	opts   Options
	stats  cachestats.Stats

	mu sync.RWMutex
	// Two maps, so that invented ids can't push out applications.
	known   map[string]entry
	unknown map[string]time.Time // until when
	flight  *flight
	epoch   uint64 // counts invalidations; anything read before one isn't kept
}

type flight = singleflight.Group[string, *directory.Application]

type entry struct {
	app *directory.Application
	age
	until time.Time // served without asking until then, because the source is down
}

// New returns a cache. The applications it returns are shared; callers must not modify them.
func New(source Source, opts Options) *Cache {
	c := &Cache{
		source:  source,
		opts:    opts.withDefaults(),
		flight:  &flight{},
		known:   map[string]entry{},
		unknown: map[string]time.Time{},
	}

	c.stats.Export(opts.of("applications"), c.size)
	c.opts.subscribe(func(clientID string) {
		if clientID == "" {
			c.InvalidateAll()
		} else {
			c.Invalidate(clientID)
		}
	})

	return c
}

func (o Options) of(cache string) cachestats.Of {
	return cachestats.Of{Cache: cache, Component: o.Component, MeterProvider: o.MeterProvider}
}

func (c *Cache) size() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.known) + len(c.unknown)
}

func (o Options) withDefaults() Options {
	setDefault(&o.TTL, 5*time.Second)
	setDefault(&o.ToldTTL, time.Minute)
	setDefault(&o.NegativeTTL, time.Second)
	setDefault(&o.Stale, time.Minute)
	setDefault(&o.Patience, time.Second)
	setDefault(&o.Size, 10_000)

	if o.Now == nil {
		o.Now = time.Now
	}

	return o
}

func setDefault[T time.Duration | int](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// Application returns an application, including a disabled one. It returns
// directory.ErrNotFound if there is none; other errors come from the source or ctx.
func (c *Cache) Application(ctx context.Context, clientID string) (*directory.Application, error) {
	now := c.opts.Now()
	c.mu.RLock()
	e, known := c.known[clientID]
	until, unknown := c.unknown[clientID]
	loads := c.flight
	c.mu.RUnlock()

	switch {
	case known && (e.fresh(&c.opts, now) || now.Before(e.until)):
		c.stats.Hit()
		return e.app, nil
	case unknown && now.Before(until):
		c.stats.Hit()
		return nil, directory.ErrNotFound
	default:
		c.stats.Miss()
		return c.load(ctx, loads, clientID)
	}
}

// load reads one application for all callers waiting for it.
func (c *Cache) load(ctx context.Context, loads *flight, clientID string) (*directory.Application, error) {
	// The id may be a slice of a whole request, whose memory a map must not retain.
	clientID = strings.Clone(clientID)
	app, _, err := loads.Do(ctx, clientID, func(ctx context.Context) (*directory.Application, error) {
		if c.servesStale(clientID) {
			patient, cancel := context.WithTimeout(ctx, c.opts.Patience)
			defer cancel()
			ctx = patient
		}
		return c.read(ctx, clientID)
	})

	return app, err
}

// servesStale reports whether there is an entry for when the source doesn't answer.
func (c *Cache) servesStale(clientID string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.known[clientID]
	return ok && c.opts.Now().Before(e.end(&c.opts))
}

func (c *Cache) read(ctx context.Context, clientID string) (*directory.Application, error) {
	c.mu.RLock()
	epoch := c.epoch
	c.mu.RUnlock()
	app, err := c.source.Application(ctx, clientID)
	now := c.opts.Now()

	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		c.stats.Failed()
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	switch {
	case epoch != c.epoch:
		// The application was invalidated meanwhile: the result is good for callers who asked
		// before that, but not for later ones.
		return app, err
	case err == nil:
		c.keep(clientID, app, now)
		return app, nil
	case errors.Is(err, directory.ErrNotFound):
		c.keepUnknown(clientID, now)
		return nil, directory.ErrNotFound
	case oauth.IsUnavailable(err):
		return c.stale(clientID, now, err)
	default:
		return nil, err
	}
}

func (c *Cache) keep(clientID string, app *directory.Application, now time.Time) {
	delete(c.unknown, clientID)
	makeRoom(c.known, clientID, c.opts.Size)
	c.known[clientID] = entry{app: app, age: age{read: now}}
}

func (c *Cache) keepUnknown(clientID string, now time.Time) {
	delete(c.known, clientID)
	if len(clientID) > maxUnknownID {
		return
	}
	makeRoom(c.unknown, clientID, c.opts.Size)
	c.unknown[clientID] = now.Add(c.opts.NegativeTTL)
}

// stale serves a known application while the source is down, and spares the source and the
// callers another attempt for a moment.
func (c *Cache) stale(clientID string, now time.Time, cause error) (*directory.Application, error) {
	e, ok := c.known[clientID]
	if !ok || !now.Before(e.end(&c.opts)) {
		return nil, cause
	}

	e.until = earlier(now.Add(c.opts.NegativeTTL), e.end(&c.opts))
	c.known[clientID] = e
	return e.app, nil
}

// makeRoom removes an arbitrary entry; it costs one read to get it back.
func makeRoom[T any](m map[string]T, clientID string, size int) {
	if _, there := m[clientID]; there || len(m) < size {
		return
	}

	for id := range m {
		delete(m, id)
		return
	}
}

// Invalidate forgets one application. The next look-up reads it again, and the old entry is no
// longer served even if the source is down.
func (c *Cache) Invalidate(clientID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.known, clientID)
	delete(c.unknown, clientID)
	c.flight.Forget(clientID)
}

// InvalidateAll forgets all applications, as Invalidate does one.
func (c *Cache) InvalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	clear(c.known)
	clear(c.unknown)
	// Later callers must not join a load that began before.
	c.flight = &flight{}
}
