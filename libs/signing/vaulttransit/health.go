package vaulttransit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// fresh is how long a request that went well speaks for the server.
	fresh = 5 * time.Second
	// troubled is how long one that did not speaks against a key: it may have been
	// the last that anybody wanted of it.
	troubled = time.Minute
)

// health is what requests have shown. Its zero value has seen none.
type health struct {
	mu      sync.Mutex
	good    time.Time // the last request that went well; zero: since then the server was away
	away    error     // what the server, when it was away last, said
	trouble map[version]trouble
}

// trouble is of one key: denied, missing, of a bad version, refused.
type trouble struct {
	err error
	at  time.Time
}

// note takes down how a request ended. That a caller went away means nothing.
func (h *health) note(v version, err error, now time.Time) {
	var known *Error
	if err != nil && !errors.As(err, &known) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.good = now
		delete(h.trouble, v)
	case serverAway(err):
		h.good, h.away = time.Time{}, err
	default:
		if h.trouble == nil {
			h.trouble = map[version]trouble{}
		}
		h.trouble[v] = trouble{err, now}
	}
}

// of is the trouble with any key, and whether the server was fine moments ago.
func (h *health) of(now time.Time) (fine bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for v, t := range h.trouble {
		if now.Sub(t.at) > troubled {
			delete(h.trouble, v)
			continue
		}
		err = fmt.Errorf("key %s: %w", v.ref(), t.err)
	}
	return !h.good.IsZero() && now.Sub(h.good) < fresh, err
}

func (h *health) lastAway() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.away
}

// Check is for readiness: nil when signatures can be expected, else an *Error, or
// one that wraps it and names the key. When no request has shown it moments ago, it
// looks up its own token, which is also what closes the breaker while no traffic
// comes.
func (e *Engine) Check(ctx context.Context) error {
	if err := e.loggedOut(); err != nil {
		return err
	}
	fine, err := e.health.of(e.now())
	if fine || err != nil {
		return err
	}
	_, err = e.breaker.Execute(func() (struct{}, error) {
		limited, cancel := context.WithTimeout(ctx, e.timeout)
		defer cancel()
		_, err := e.client.Auth().Token().LookupSelfWithContext(limited)
		err = classify(ctx, err)
		if serverAway(err) {
			e.health.note(version{}, err, e.now())
		}
		return struct{}{}, err
	})
	var known *Error
	if errors.As(err, &known) && known.Reason == Denied && e.session != nil {
		e.session.Doubt()
	}
	return e.explain(classify(ctx, err))
}
