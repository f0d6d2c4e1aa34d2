package appcache

import (
	"context"
	"sync"
	"time"

	"resenje.org/singleflight"

	"github.com/platform-oauth/platform-oauth/libs/cachestats"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// OriginSource lists the origins of all applications from a store.
type OriginSource interface {
	Origins(ctx context.Context) ([]string, error)
}

// Origins caches all registered origins. CORS preflights, which name no application and carry
// no credentials, look origins up; without the cache each would cost a read. It is safe for
// concurrent use.
type Origins struct {
	source OriginSource
	opts   Options
	stats  cachestats.Stats
	flight singleflight.Group[struct{}, map[string]bool]

	mu    sync.RWMutex
	known map[string]bool // nil: not loaded
	age   age
	until time.Time // served without asking until then, because the source is down
	epoch uint64    // counts invalidations; anything read before one isn't kept
}

// NewOrigins returns a cache. It ignores Options.Size.
func NewOrigins(source OriginSource, opts Options) *Origins {
	o := &Origins{source: source, opts: opts.withDefaults()}
	o.stats.Export(opts.of("origins"), o.size)
	// The list covers all applications, so it doesn't matter which one changed.
	o.opts.subscribe(func(string) { o.Invalidate() })
	return o
}

// Invalidate drops the list; the next look-up reads it again.
func (o *Origins) Invalidate() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	o.known = nil
	// Later callers must not join a read that began before.
	o.flight.Forget(struct{}{})
}

func (o *Origins) size() int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(o.known)
}

// Known reports whether any application has registered the origin.
func (o *Origins) Known(ctx context.Context, origin string) (bool, error) {
	now := o.opts.Now()
	o.mu.RLock()
	known, fresh := o.known[origin], o.known != nil && (o.age.fresh(&o.opts, now) || now.Before(o.until))
	o.mu.RUnlock()

	if fresh {
		o.stats.Hit()
		return known, nil
	}

	o.stats.Miss()
	list, _, err := o.flight.Do(ctx, struct{}{}, func(ctx context.Context) (map[string]bool, error) {
		if o.servesStale() {
			patient, cancel := context.WithTimeout(ctx, o.opts.Patience)
			defer cancel()
			ctx = patient
		}
		return o.read(ctx)
	})

	return list[origin], err
}

// servesStale reports whether there is a list for when the source doesn't answer.
func (o *Origins) servesStale() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.known != nil && o.opts.Now().Before(o.age.end(&o.opts))
}

// read replaces the list, or keeps the old one for a while if the source is down.
func (o *Origins) read(ctx context.Context) (map[string]bool, error) {
	o.mu.RLock()
	epoch := o.epoch
	o.mu.RUnlock()
	list, err := o.source.Origins(ctx)
	now := o.opts.Now()
	o.mu.Lock()
	defer o.mu.Unlock()

	if err != nil {
		o.stats.Failed()
		if !oauth.IsUnavailable(err) || o.known == nil || !now.Before(o.age.end(&o.opts)) {
			return nil, err
		}
		o.until = earlier(now.Add(o.opts.NegativeTTL), o.age.end(&o.opts))
		return o.known, nil
	}

	fresh := make(map[string]bool, len(list))
	for _, origin := range list {
		fresh[origin] = true
	}

	if epoch == o.epoch { // otherwise good for earlier callers, not for later ones
		o.known, o.age = fresh, age{read: now}
	}

	return fresh, nil
}
