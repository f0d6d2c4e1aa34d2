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
	conn, err := (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}

	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok { // a cancel request
		return conn, nil
	}

	if a.stop != nil { // the wire to the previous host, which was not used
		a.stop()
	}

	w := &wire{Conn: conn}
	a.wire, a.stop = w, context.AfterFunc(a.ctx, func() { _ = conn.Close() })
	return w, nil
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

// wire is a network connection that records whether anything was sent.
type wire struct {
	net.Conn
	sent bool
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.sent = w.sent || n > 0
	return n, err
}
