package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
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
