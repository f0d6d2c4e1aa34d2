package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

// keypair is an application's key with its kid.
type keypair struct {
	private *ecdsa.PrivateKey
	kid     string
}

func newKeypair(t *testing.T) keypair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return keypair{private, rand.Text()}
}

func keySet(t *testing.T, keys ...keypair) []byte {
	t.Helper()
	set := jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key:       k.private.Public(),
			KeyID:     k.kid,
			Algorithm: "ES256",
			Use:       "sig",
		})
	}

	raw, err := json.Marshal(set)
	require.NoError(t, err)
	return raw
}

// assertion signs a client assertion of RFC 7523 3.
func (w *world) assertion(t *testing.T, k keypair, clientID string, more map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": clientID,
		"sub": clientID,
		"aud": issuer,
		"jti": rand.Text(),
		"iat": w.clock.Now().Unix(),
		"exp": w.clock.Now().Add(time.Minute).Unix(),
	}

	maps.Copy(claims, more)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256,
		Key:       jose.JSONWebKey{Key: k.private, KeyID: k.kid},
	}, nil)
	require.NoError(t, err)
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	assertion, err := jws.CompactSerialize()
	require.NoError(t, err)

	return assertion
}

func asserting(assertion string) form {
	return form{
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion":      assertion,
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		key, stranger := newKeypair(t), newKeypair(t)
		w.keeps(t, "signer", directory.Web, func(a *directory.Application) { a.JWKS, a.Secrets = keySet(t, key), nil })

		used := asserting(w.assertion(t, key, "signer", nil))
		got := w.post(t, credentials.with(used))
		require.Equal(t, http.StatusOK, got.status, "client_id need not be sent (RFC 7521 4.2): %s", got.raw)
		require.Equal(t, "signer", w.verified(t, got.str("access_token"), "at+jwt", "ES256")["client_id"])
		requireError(t, w.post(t, credentials.with(used)), 401, oauth.InvalidClient) // RFC 7523 3: jti once
		require.Equal(t, 1, w.told(t, "token.assertion_reused"))

		fresh := func(more map[string]any) form { return asserting(w.assertion(t, key, "signer", more)) }
		tokens := w.post(t,
			redeem(w.code(t, w.person(t), nil)).with(form{"client_id": "signer", "client_secret": ""}).with(fresh(nil)))
		requireError(t, tokens, 400, oauth.InvalidGrant) // it is another's code
		require.Equal(t, true,
			w.introspect(t, fresh(nil), got.str("access_token")).body["active"], "at introspection too")
		w.revoke(t, fresh(nil), got.str("access_token"))
		require.Equal(t, inactive, w.introspect(t, fresh(nil), got.str("access_token")).body)

		w.keeps(t, "lax", directory.Web,
			func(a *directory.Application) { a.JWKS, a.Secrets, a.TokenEndpointAudience = keySet(t, key), nil, true })
		endpoint := map[string]any{"aud": issuer + "/token"}
		require.Equal(t, http.StatusOK,
			w.post(t, credentials.with(asserting(w.assertion(t, key, "lax", endpoint)))).status,
			"RFC 7523 3, where the operator allows it")

		for name, tt := range map[string]struct {
			form   form
			header http.Header
			status int
			error  oauth.Code
		}{
			"an assertion and a secret (RFC 6749 2.3)": {
				form:   fresh(nil).with(client("signer")),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"an assertion and Basic": {
				form:   fresh(nil),
				header: basic("signer", secretWord),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"an assertion and another client_id": {
				form:   fresh(nil).with(form{"client_id": "web"}),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"an assertion for the token endpoint's URL": {
				form:   fresh(endpoint),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an assertion that has expired": {
				form:   fresh(map[string]any{"exp": w.clock.Now().Unix()}),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an assertion for ten minutes": {
				form:   fresh(map[string]any{"exp": w.clock.Now().Add(10 * time.Minute).Unix()}),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an assertion by an unknown key": {
				form:   asserting(w.assertion(t, stranger, "signer", nil)),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an assertion for an application with none": {
				form:   asserting(w.assertion(t, key, "web", nil)),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an assertion for an unknown application": {
				form:   asserting(w.assertion(t, key, "nobody", nil)),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"no assertion, where there is nothing else": {
				form:   form{"client_id": "signer"},
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a secret, where the application has none": {
				form:   client("signer"),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an assertion without its type": {
				form:   fresh(nil).with(form{"client_assertion_type": ""}),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"an assertion of an unknown type": {
				form:   fresh(nil).with(form{"client_assertion_type": "x"}),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"something that isn't an assertion": {
				form:   asserting("x"),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a NATIVE application that signs assertions": {
				form:   asserting(w.assertion(t, key, "native", nil)),
				status: 401,
				error:  oauth.InvalidClient,
			},
		} {
			t.Run(name, func(t *testing.T) {
				got := w.postRaw(t, credentials.with(tt.form).encode(), tt.header)
				requireError(t, got, tt.status, tt.error)
				require.Empty(t, got.header.Get("WWW-Authenticate"), "Basic was not tried")
			})
		}

		require.NotContains(t, w.logs.String(), used["client_assertion"])
	})
}

// RFC 7523 3: a jti is used once, whichever replica is asked.
func TestOfFiftyUsesOfAnAssertionAtOnceOneSucceeds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		key := newKeypair(t)
		w.keeps(t, "signer", directory.Web, func(a *directory.Application) { a.JWKS = keySet(t, key) })
		patient := func(c *token.Config) { c.Limits.ClientAuth = 1000 }
		other := w.replica(t, db)
		w.service, other.service = w.startWith(t, db, patient), other.startWith(t, db, patient)
		body := credentials.with(asserting(w.assertion(t, key, "signer", nil))).encode()
		var good, bad atomic.Int64
		race(func(i int) {
			service := w
			if i%2 == 1 {
				service = other
			}

			switch a := service.serve(tokenRequest(body, nil)); a.status {
			case http.StatusOK:
				good.Add(1)
			case http.StatusUnauthorized:
				bad.Add(1)
			}
		})

		require.EqualValues(t, 1, good.Load())
		require.EqualValues(t, 49, bad.Load())
	})
}

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

func TestTwoSecretsAreGoodWhileOneReplacesTheOther(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		const odd = "my app:1+%2B"
		w.keeps(t, odd, directory.Service, func(a *directory.Application) {
			a.Secrets = []directory.ApplicationSecret{
				{ID: "1", Hash: oauth.HashSecret("old:+% secret"), ExpiresAt: start.Add(time.Hour)},
				{ID: "2", Hash: oauth.HashSecret("new%2Bsecret ü"), ExpiresAt: time.Time{}},
			}
		})

		try := func(secret string) []answer {
			encoded := func(s string) string { return form{"x": s}.encode()[2:] }
			return []answer{
				w.post(t, credentials.with(form{"client_id": odd, "client_secret": secret})),
				// RFC 6749 2.3.1: both halves form-encoded
				w.postRaw(t, credentials.encode(), basic(encoded(odd), encoded(secret))),
			}
		}
		for _, secret := range []string{"old:+% secret", "new%2Bsecret ü"} {
			for _, got := range try(secret) {
				require.Equal(t, http.StatusOK, got.status, "%s: %s", secret, got.raw)
			}
		}

		w.clock.Advance(time.Hour)

		for _, got := range try("old:+% secret") {
			requireError(t, got, 401, oauth.InvalidClient)
		}

		for _, got := range try("new%2Bsecret ü") {
			require.Equal(t, http.StatusOK, got.status, got.raw)
		}

		for _, got := range try("new+secret ü") { // decoded once too often
			requireError(t, got, 401, oauth.InvalidClient)
		}
	})
}

func TestWhoGuessesAtASecretHasToWait(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		strict := func(c *token.Config) { c.Limits.ClientAuth = 3 }
		other := w.replica(t, db)
		w.service, other.service = w.startWith(t, db, strict), other.startWith(t, db, strict)
		from := func(w *world, address, id, secret string) answer {
			r := tokenRequest(credentials.with(form{"client_id": id, "client_secret": secret}).encode(), nil)
			r.RemoteAddr = address
			return w.do(t, r)
		}

		const here = "192.0.2.1:1000"
		requireError(t, from(w, here, "keeper", "wrong"), 401, oauth.InvalidClient)
		requireError(t, from(other, here, "keeper", "wrong"), 401, oauth.InvalidClient)
		blocked := from(w, here, "keeper", "wrong")
		requireError(t, blocked, 429, oauth.TooManyRequests) // RFC 6585 4
		seconds, err := strconv.Atoi(blocked.header.Get("Retry-After"))
		require.NoError(t, err)
		require.Equal(t, 1, seconds)
		// every replica, every port
		requireError(t, from(other, "192.0.2.1:2000", "keeper", "wrong"), 429, oauth.TooManyRequests)
		require.Equal(t, 2, w.told(t, "token.client_refused"))
		require.Equal(t, 1, w.told(t, "token.client_blocked"))

		require.Equal(t, http.StatusOK, from(w, here, "keeper", secretWord).status, "the right secret is never held up")
		requireError(t, from(w, "192.0.2.2:1000", "keeper", "wrong"), 401, oauth.InvalidClient)
		requireError(t, from(w, here, "web", "wrong"), 401, oauth.InvalidClient)
		requireError(t, from(w, here, "nobody", "wrong"), 401, oauth.InvalidClient)

		// An IPv6 address counts as its /64.
		for range 2 {
			requireError(t, from(w, "[2001:db8::1]:1", "keeper", "wrong"), 401, oauth.InvalidClient)
		}

		requireError(t, from(w, "[2001:db8::2]:1", "keeper", "wrong"), 429, oauth.TooManyRequests)

		// Of a client_id that was invented nothing is counted.
		for range 4 {
			requireError(t, from(w, "[2001:db8::2]:1", "nobody", "wrong"), 401, oauth.InvalidClient)
		}

		w.clock.Advance(time.Second)
		blocked = from(w, here, "keeper", "wrong")
		requireError(t, blocked, 429, oauth.TooManyRequests)
		require.Equal(t, "2", blocked.header.Get("Retry-After"), "the delay doubles")
		var keys []struct {
			Key []byte `db:"key"`
		}
		require.NoError(t, w.db.Select(t.Context(), "test", &keys, `SELECT key FROM limits`))

		for _, row := range keys {
			require.Len(t, row.Key, 32, "no address stands in the table")
		}
	})
}
