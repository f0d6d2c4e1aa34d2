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
	// fresh is how long a successful request counts as proof that the server is up.
	fresh = 5 * time.Second
	// troubled is how long a failed request counts against a key, unless a probe shows that the
	// trouble is over: there may be no later request for the key.
	troubled = time.Minute
)

// health is the server's state as shown by requests. The zero value has seen none.
type health struct {
	mu      sync.Mutex
	good    time.Time // the last success; zero: the server has been down since then
	away    error     // the server's error when it was last down
	trouble map[version]trouble
}

// trouble is a problem with one key: denied, missing, of a bad version, or refused.
type trouble struct {
	err    error
	at     time.Time
	public crypto.PublicKey
}

// note records how a request ended. A canceled caller means nothing.
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

// fine reports whether the server was up moments ago.
func (h *health) fine(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.good.IsZero() && now.Sub(h.good) < fresh
}

// troubles returns the current troubles by key version.
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

// Check is for readiness. It returns nil if signatures can be expected, or else an *Error, or
// an error that wraps one and names the key. If no recent request has shown that the server is
// up, Check looks up its own token, which is also what closes the breaker while there is no
// traffic.
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

// probe returns what is still wrong with a key that had trouble. If there has been no request
// for some moments, it requests a signature that is thrown away, because a process that isn't
// ready gets no traffic that could show that the trouble is over.
func (e *Engine) probe(ctx context.Context, v version, t trouble) error {
	if e.now().Sub(t.at) < fresh {
		return t.err
	}

	i := &item{input: toSign(v.alg, []byte("is the key there again?")), public: t.public}
	_, err := e.breaker.Execute(func() (struct{}, error) {
		return struct{}{}, classify(ctx, e.sign(ctx, v, []*item{i}))
	})
	if errors.Join(err, i.err) != nil {
		return t.err // the original error; that the probe failed just now is not news
	}

	e.health.note(v, nil, nil, e.now())
	return nil
}
