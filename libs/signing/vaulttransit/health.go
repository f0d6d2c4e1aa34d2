package vaulttransit

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

const (
	// fresh is how long a request that went well speaks for the server.
	fresh = 5 * time.Second
	// troubled is how long one that did not speaks against a key, unless a probe
	// shows that it is over: it may have been the last that anybody wanted of it.
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
	err    error
	at     time.Time
	public crypto.PublicKey
}

// note takes down how a request ended. That a caller went away means nothing.
func (h *health) note(v version, public crypto.PublicKey, err error, now time.Time) {
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
		h.trouble[v] = trouble{err, now, public}
	}
}

// fine reports whether the server was moments ago.
func (h *health) fine(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.good.IsZero() && now.Sub(h.good) < fresh
}

// troubles are those there are with keys.
func (h *health) troubles(now time.Time) map[version]trouble {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.trouble, func(_ version, t trouble) bool { return now.Sub(t.at) > troubled })
	return maps.Clone(h.trouble)
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

	for v, t := range e.health.troubles(e.now()) {
		if err := e.probe(ctx, v, t); err != nil {
			return fmt.Errorf("key %s: %w", v.ref(), err)
		}
	}

	if e.health.fine(e.now()) {
		return nil
	}

	_, err := e.breaker.Execute(func() (struct{}, error) {
		limited, cancel := context.WithTimeout(ctx, e.timeout)
		defer cancel()
		_, err := e.client.Auth().Token().LookupSelfWithContext(limited)
		err = classify(ctx, err)
		if serverAway(err) {
			e.health.note(version{}, nil, err, e.now())
		}
		return struct{}{}, err
	})

	var known *Error
	if errors.As(err, &known) && known.Reason == Denied && e.session != nil {
		e.session.Doubt()
	}

	return e.explain(classify(ctx, err))
}

// probe is what is wrong with a key that there was trouble with. After some moments
// without a request it asks for a signature that nobody uses: a process that is not
// ready gets no traffic that could show it is over.
func (e *Engine) probe(ctx context.Context, v version, t trouble) error {
	if e.now().Sub(t.at) < fresh {
		return t.err
	}

	i := &item{input: toSign(v.alg, []byte("is the key there again?")), public: t.public}
	_, err := e.breaker.Execute(func() (struct{}, error) {
		return struct{}{}, classify(ctx, e.sign(ctx, v, []*item{i}))
	})
	if errors.Join(err, i.err) != nil {
		return t.err // of then: that it was asked for now is no news
	}

	e.health.note(v, nil, nil, e.now())
	return nil
}
