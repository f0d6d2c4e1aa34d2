package pqguard

import (
	"context"
	"net"
	"time"
)

// attempt is one attempt to connect. The driver observes its context only until the network
// connection is established; after that the server may still not respond.
type attempt struct {
	ctx  context.Context //nolint:containedctx // of the one call
	wire *wire
	stop func() bool
}

type attemptKey struct{}

// dialer makes network connections that are noticed as dead within half a minute while they
// are idle.
type dialer struct{}

var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     15 * time.Second,
	Interval: 5 * time.Second,
	Count:    3,
}

// DialContext implements [pq.DialerContext].
func (dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return dialCancel(ctx, network, address)
	}

	conn, err := (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}

	if a.stop != nil { // the wire to the previous host, which was not used
		a.stop()
	}

	w := &wire{Conn: conn}
	a.wire, a.stop = w, context.AfterFunc(a.ctx, func() { _ = conn.Close() })
	return w, nil
}

// cancelPatience bounds a cancel request, because a prepared statement waits for its own.
const cancelPatience = time.Second

// dialCancel makes a network connection for a cancel request.
func dialCancel(ctx context.Context, network, address string) (net.Conn, error) {
	limit := time.Now().Add(cancelPatience)
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()

	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}

	return bounded{conn, limit}, conn.SetDeadline(limit)
}

// bounded is a network connection whose deadline can't be moved beyond limit.
type bounded struct {
	net.Conn
	limit time.Time
}

func (b bounded) SetDeadline(t time.Time) error {
	if t.IsZero() || t.After(b.limit) {
		t = b.limit
	}
	return b.Conn.SetDeadline(t)
}

// Dial implements [pq.Dialer]. The driver does not use it.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout implements [pq.Dialer]. The driver does not use it.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// wire is a network connection that records whether anything was sent, and what went wrong.
type wire struct {
	net.Conn
	sent  bool
	fault error // of the last failed read or write
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.fault = err
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.sent = w.sent || n > 0
	if err != nil {
		w.fault = err
	}
	return n, err
}
