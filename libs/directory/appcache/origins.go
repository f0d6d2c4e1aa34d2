package appcache

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/platform-oauth/platform-oauth/libs/cachestats"
)

// OriginSource lists the origins of all applications: a store.
type OriginSource interface {
	Origins(ctx context.Context) ([]string, error)
}

// Origins is a cache of all registered origins. Preflights ask for them, which
// name no application and need no credentials: without it each would be a read.
// It is safe for concurrent use.
type Origins struct {
	source OriginSource
	opts   Options
	stats  cachestats.Stats
	flight singleflight.Group

	mu         sync.RWMutex
	known      map[string]bool
	until      time.Time
	staleUntil time.Time
}

// NewOrigins makes a cache. Of the options all but Size count.
func NewOrigins(source OriginSource, opts Options) *Origins {
	o := &Origins{source: source, opts: opts.withDefaults()}
	o.stats.Export(opts.of("origins"), o.size)
	return o
}

func (o *Origins) size() int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return len(o.known)
}

// Known tells whether any application has the origin.
func (o *Origins) Known(ctx context.Context, origin string) (bool, error) {
	now := o.opts.Now()
	o.mu.RLock()
	known, fresh := o.known[origin], now.Before(o.until)
	o.mu.RUnlock()
	if fresh {
		o.stats.Hit()
		return known, nil
	}
	o.stats.Miss()
	done := o.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.opts.LoadTimeout)
		defer cancel()
		return o.read(ctx)
	})
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case r := <-done:
		if r.Err != nil {
			return false, r.Err
		}
		return r.Val.(map[string]bool)[origin], nil
	}
}

// read replaces what is known, or keeps it a while where the source is away.
func (o *Origins) read(ctx context.Context) (map[string]bool, error) {
	list, err := o.source.Origins(ctx)
	now := o.opts.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.stats.Failed()
		if !away(err) || !now.Before(o.staleUntil) {
			return nil, err
		}
		o.until = now.Add(o.opts.NegativeTTL)
		return o.known, nil
	}
	o.known = make(map[string]bool, len(list))
	for _, origin := range list {
		o.known[origin] = true
	}
	o.until = now.Add(o.opts.TTL)
	o.staleUntil = o.until.Add(o.opts.Stale)
	return o.known, nil
}
