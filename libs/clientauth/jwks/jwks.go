package jwks

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/singleflight"

	"github.com/platform-oauth/platform-oauth/libs/cachestats"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

var _ clientauth.Keys = (*Cache)(nil)

// Fetcher gets a document from the URL that an application registered. libs/outbound implements
// it and decides which hosts may be contacted.
type Fetcher interface {
	Get(ctx context.Context, url string) (body []byte, header http.Header, err error)
}

// Options are the bounds of the cache. Zero values stand for the defaults given.
type Options struct {
	TTL     time.Duration // maximum age of a set: 5 min
	Refetch time.Duration // how soon an unknown kid, or a failure while there is a set, triggers a new fetch: 1 min
	Retry   time.Duration // how soon a fetch is retried while there is no set: 10 s
	Stale   time.Duration // how long a set is served while it cannot be fetched: 24 h
	Timeout time.Duration // of a fetch: 5 s
	Size    int           // maximum number of sets kept: 1000
	Now     func() time.Time
	Logger  *slog.Logger // nil: no logging
	// MeterProvider and Component are passed to cachestats.Of.
	MeterProvider metric.MeterProvider
	Component     string
}

// Cache is a bounded cache of key sets. Concurrent callers that need the same set share a
// fetch, which continues if one of them gives up. It is safe for concurrent use.
type Cache struct {
	fetcher Fetcher
	opts    Options
	stats   cachestats.Stats
	flight  singleflight.Group

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is the state of one application's URL. It is immutable.
type entry struct {
	set       *clientauth.KeySet // nil: never fetched
	fetchedAt time.Time
	nextAt    time.Time // not fetched again before then
	err       error     // of the last fetch
}

// New returns a cache.
func New(fetcher Fetcher, opts Options) *Cache {
	for _, d := range []struct {
		value *time.Duration
		to    time.Duration
	}{
		{&opts.TTL, 5 * time.Minute},
		{&opts.Refetch, time.Minute},
		{&opts.Retry, 10 * time.Second},
		{&opts.Stale, 24 * time.Hour},
		{&opts.Timeout, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.to
		}
	}

	if opts.Size <= 0 {
		opts.Size = 1000
	}

	if opts.Now == nil {
		opts.Now = time.Now
	}

	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}

	c := &Cache{fetcher: fetcher, opts: opts, entries: map[string]*entry{}}
	c.stats.Export(cachestats.Of{Cache: "jwks", Component: opts.Component, MeterProvider: opts.MeterProvider}, c.size)
	return c
}

func (c *Cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// Keys implements clientauth.Keys.
func (c *Cache) Keys(ctx context.Context, app *directory.Application, kid string) (*clientauth.KeySet, error) {
	// Each application has its own entry, even at the same URL, so that one can't use up
	// another's fetch for that minute. A new URL starts a new entry.
	name := app.ClientID + " " + app.JWKSURI
	now := c.opts.Now()
	e := c.entry(name)
	if e.serves(now, c.opts.TTL, kid) {
		c.stats.Hit()
		return e.answer(now, c.opts.Stale)
	}

	c.stats.Miss()
	name = strings.Clone(name)
	done := c.flight.DoChan(name, func() (any, error) {
		// Another caller's fetch may have ended since we looked.
		if e := c.entry(name); e.serves(c.opts.Now(), c.opts.TTL, kid) {
			return e, nil
		}

		// The first caller may give up while others still wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opts.Timeout)
		defer cancel()
		return c.fetch(ctx, name, app.ClientID, app.JWKSURI), nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		return r.Val.(*entry).answer(c.opts.Now(), c.opts.Stale) //nolint:forcetypeassert // fetch returns nothing else
	}
}

func (c *Cache) entry(name string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[name]
}

// fetch fetches once and stores the outcome.
func (c *Cache) fetch(ctx context.Context, name, clientID, uri string) *entry {
	set, err := c.read(ctx, uri)
	now := c.opts.Now()
	next := &entry{set: set, fetchedAt: now, nextAt: now.Add(c.opts.Refetch)}
	if err != nil {
		c.stats.Failed()
		c.opts.Logger.WarnContext(ctx, "can't fetch the keys of an application",
			"client_id", clientID, "error", err)
		next = &entry{nextAt: now.Add(c.opts.Retry), err: err}
		if old := c.entry(name); old != nil && old.set != nil {
			next.set, next.fetchedAt, next.nextAt = old.set, old.fetchedAt, now.Add(c.opts.Refetch)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if _, there := c.entries[name]; !there && len(c.entries) >= c.opts.Size {
		for other := range c.entries { // an arbitrary one; it costs one fetch
			delete(c.entries, other)
			break
		}
	}

	c.entries[name] = next
	return next
}

func (c *Cache) read(ctx context.Context, uri string) (*clientauth.KeySet, error) {
	body, _, err := c.fetcher.Get(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return clientauth.ParseKeySet(body)
}

// serves reports whether the entry answers without a fetch: it is fresh and has the key, or it
// is too early to fetch again.
func (e *entry) serves(now time.Time, ttl time.Duration, kid string) bool {
	if e == nil {
		return false
	}
	fresh := e.set != nil && now.Before(e.fetchedAt.Add(ttl)) && (kid == "" || e.set.Has(kid))
	return fresh || now.Before(e.nextAt)
}

// answer returns the set, even an old one, unless it is too old.
func (e *entry) answer(now time.Time, stale time.Duration) (*clientauth.KeySet, error) {
	if e.set != nil && now.Before(e.fetchedAt.Add(stale)) {
		return e.set, nil
	}
	if e.err != nil {
		return nil, e.err
	}
	return nil, fmt.Errorf("jwks: the key set is older than %s", stale)
}
