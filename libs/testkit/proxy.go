package testkit

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Proxy forwards TCP connections to a server until a test tells it otherwise.
type Proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	open  map[net.Conn]bool
	gate  chan struct{} // closed while bytes pass
	delay time.Duration // added to everything that passes
	cut   bool
	ended bool

	asked bool // the last bytes went to the server
	trips int
}

// NewProxy starts a proxy in front of the server of a URL. It stops at the end of the test.
func NewProxy(t testing.TB, targetURL string) *Proxy {
	t.Helper()
	u, err := url.Parse(targetURL)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // on loopback
	require.NoError(t, err)
	p := &Proxy{
		listener: listener,
		target:   u.Host,
		open:     map[net.Conn]bool{},
		gate:     make(chan struct{}),
	}

	close(p.gate)
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		_ = listener.Close()
		p.Heal() // releases connections that wait at the gate
		p.Cut()
		serving.Wait()
	})

	return p
}

// URL returns targetURL with the proxy's address in place of the server's.
func (p *Proxy) URL(t testing.TB, targetURL string) string {
	t.Helper()
	u, err := url.Parse(targetURL)
	require.NoError(t, err)
	u.Host = p.listener.Addr().String()
	return u.String()
}

// Cut closes every connection, and every new one, until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for conn := range p.open {
		_ = conn.Close()
	}
}

// Hang forwards no bytes and closes no connection until Heal, like a black hole.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

// Delay delays everything by d in each direction until Heal.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// RoundTrips returns how often a client waited for the server to answer. It is exact for a
// single connection.
func (p *Proxy) RoundTrips() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trips
}

// Heal undoes Cut, Hang and Delay.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay = false, 0
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

func (p *Proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		serving.Go(func() { p.pass(client) })
	}
}

func (p *Proxy) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target) //nolint:noctx // to loopback
	if err != nil {
		return
	}

	defer func() { _ = server.Close() }()

	if !p.admit(client, server) {
		return
	}

	defer p.forget(client, server)
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(gated{to, p, to == server}, from)
			_ = client.Close()
			_ = server.Close()
		})
	}

	both.Wait()
}

func (p *Proxy) admit(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.ended {
		return false
	}
	for _, conn := range conns {
		p.open[conn] = true
	}
	return true
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.open, conn)
	}
}

// gated is a writer that waits at the gate before it writes.
type gated struct {
	io.Writer
	proxy *Proxy
	asks  bool // it leads to the server
}

func (g gated) Write(b []byte) (int, error) {
	g.proxy.mu.Lock()
	gate, delay := g.proxy.gate, g.proxy.delay
	if g.asks && !g.proxy.asked {
		g.proxy.trips++
	}
	g.proxy.asked = g.asks
	g.proxy.mu.Unlock()
	<-gate
	time.Sleep(delay)
	return g.Writer.Write(b)
}
