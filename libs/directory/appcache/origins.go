package appcache

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
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
	flight singleflight.Group

	mu         sync.RWMutex
	known      map[string]bool
	until      time.Time
	staleUntil time.Time
}

// NewOrigins makes a cache. Of the options TTL, Stale, NegativeTTL, LoadTimeout
// and Now count.
func NewOrigins(source OriginSource, opts Options) *Origins {
	return &Origins{source: source, opts: opts.withDefaults()}
}

// Known tells whether any application has the origin.
func (o *Origins) Known(ctx context.Context, origin string) (bool, error) {
	now := o.opts.Now()
	o.mu.RLock()
	known, fresh := o.known[origin], now.Before(o.until)
	o.mu.RUnlock()
	if fresh {
		return known, nil
	}
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
