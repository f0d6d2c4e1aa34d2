package token_test

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

// RFC 7591 2, OpenID Connect Core 10.1.1: keys that roll over are found by their kid.
func TestKeysOfAJWKSURI(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		first, second := newKeypair(t), newKeypair(t)
		var published atomic.Pointer[[]byte]
		var asked atomic.Int64
		publish := func(keys ...keypair) { raw := keySet(t, keys...); published.Store(&raw) }
		publish(first)
		site := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if r.URL.Path == "/moved" {
				http.Redirect(out, r, "/jwks", http.StatusFound)
				return
			}
			_, _ = out.Write(*published.Load())
		}))

		t.Cleanup(site.Close)
		w.keeps(t, "signer", directory.Web, func(a *directory.Application) { a.JWKSURI = site.URL + "/jwks" })
		w.keeps(t, "moved", directory.Web, func(a *directory.Application) { a.JWKSURI = site.URL + "/moved" })
		try := func(k keypair, clientID string) answer {
			return w.post(t, credentials.with(asserting(w.assertion(t, k, clientID, nil))))
		}
		requireError(t, try(first, "signer"), 503, oauth.TemporarilyUnavailable) // http to this machine is not allowed
		require.Zero(t, asked.Load())

		w.service = w.startWith(t, db,
			func(c *token.Config) { c.Outbound.Allow = []string{strings.TrimPrefix(site.URL, "http://")} })

		for range 3 {
			got := try(first, "signer")
			require.Equal(t, http.StatusOK, got.status, got.raw)
		}

		require.EqualValues(t, 1, asked.Load())
		publish(second)
		requireError(t, try(second, "signer"), 401, oauth.InvalidClient) // an unknown kid is looked for once a minute
		w.clock.Advance(time.Minute)
		require.Equal(t, http.StatusOK, try(second, "signer").status)
		requireError(t, try(first, "signer"), 401, oauth.InvalidClient)
		require.EqualValues(t, 2, asked.Load())
		site.Close()
		w.clock.Advance(time.Hour)
		require.Equal(t, http.StatusOK, try(second, "signer").status, "an old set serves while the site is away")
		requireError(t, try(second, "moved"), 503, oauth.TemporarilyUnavailable)
	})
}

// RFC 7591 5: what a registration names is not trusted to lead elsewhere.
func TestRedirectsOfAJWKSURIAreNotFollowed(t *testing.T) {
	w := newKeepers(t, testkit.SQLite(t))
	key := newKeypair(t)
	var followed atomic.Bool
	site := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed.Store(true)
			_, _ = out.Write(keySet(t, key))
			return
		}
		http.Redirect(out, r, "/elsewhere", http.StatusFound)
	}))

	t.Cleanup(site.Close)
	w.keeps(t, "signer", directory.Web, func(a *directory.Application) { a.JWKSURI = site.URL })
	w.service = w.startWith(t, w.db, func(c *token.Config) { c.Outbound.Allow = []string{"127.0.0.1"} })
	requireError(t, w.post(t, credentials.with(asserting(w.assertion(t, key, "signer", nil)))), 503,
		oauth.TemporarilyUnavailable)
	require.False(t, followed.Load())
}

// The address is judged when it is dialled, not when the name is read: a name that
// was bound again to this machine leads nowhere (DNS rebinding).
func TestTheAddressOfAJWKSURIIsCheckedWhenItIsDialled(t *testing.T) {
	w := newKeepers(t, testkit.SQLite(t))
	key := newKeypair(t)
	var reached atomic.Int64
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(
		out http.ResponseWriter, _ *http.Request,
	) {
		_, _ = out.Write(keySet(t, key))
	}))
	site.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			reached.Add(1)
		}
	}

	site.StartTLS()
	t.Cleanup(site.Close)
	_, port, err := net.SplitHostPort(site.Listener.Addr().String())
	require.NoError(t, err)
	w.keeps(t, "signer", directory.Web,
		func(a *directory.Application) { a.JWKSURI = "https://localhost:" + port + "/jwks" })
	requireError(t, w.post(t, credentials.with(asserting(w.assertion(t, key, "signer", nil)))), 503,
		oauth.TemporarilyUnavailable)
	require.Zero(t, reached.Load(), "no connection was opened, let alone a request sent")

	w.service = w.startWith(t, w.db, func(c *token.Config) { c.Outbound.Allow = []string{"127.0.0.0/8", "::1/128"} })
	requireError(t, w.post(t, credentials.with(asserting(w.assertion(t, key, "signer", nil)))), 503,
		oauth.TemporarilyUnavailable)
	require.NotZero(t, reached.Load(), "the same name, once the address is allowed; its certificate is untrusted")
}

// A name that an application registered while it was public may be bound again to
// an address that only the platform reaches: each connection is judged anew, and
// what was fetched before goes on serving.
func TestAJWKSURIWhoseNameIsBoundAgainLeadsNowhere(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		key, second := newKeypair(t), newKeypair(t)
		var asked atomic.Int64
		site := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			out.Header().Set("Connection", "close")
			_, _ = out.Write(keySet(t, key, second))
		}))

		site.Listener.Close() //nolint:errcheck // replaced by one on every address of this machine
		var err error
		site.Listener, err = net.Listen("tcp4", "0.0.0.0:0")
		require.NoError(t, err)
		var connections atomic.Int64
		site.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}

		site.StartTLS()
		t.Cleanup(site.Close)
		_, port, err := net.SplitHostPort(site.Listener.Addr().String())
		require.NoError(t, err)
		// example.com is a name of httptest's certificate.
		w.keeps(t, "signer", directory.Web,
			func(a *directory.Application) { a.JWKSURI = "https://example.com:" + port + "/jwks" })
		w.service = w.build(t, db, func(c *token.Config) {
			c.Outbound.Allow = []string{"127.0.0.1/32"} // plays the public address, 127.0.0.2 the private one
		}, func(d *token.Deps) {
			d.Resolver, d.RootCAs = testkit.Names("127.0.0.1", "127.0.0.2"), x509.NewCertPool()
			d.RootCAs.AddCert(site.Certificate())
		})

		try := func(k keypair) answer {
			return w.post(t, credentials.with(asserting(w.assertion(t, k, "signer", nil))))
		}
		got := try(key)
		require.Equal(t, http.StatusOK, got.status, got.raw)
		require.EqualValues(t, 1, connections.Load())

		w.clock.Advance(time.Hour)
		require.Equal(t, http.StatusOK, try(key).status, "the set that was fetched before")
		requireError(t, try(newKeypair(t)), 401, oauth.InvalidClient)
		w.clock.Advance(25 * time.Hour)
		requireError(t, try(key), 503, oauth.TemporarilyUnavailable)
		require.EqualValues(t, 1, connections.Load(), "no connection was opened to the other address")
		require.EqualValues(t, 1, asked.Load())
		require.Contains(t, w.logs.String(), "127.0.0.2 is not a public address")
	})
}
