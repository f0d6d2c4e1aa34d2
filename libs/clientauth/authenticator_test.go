package clientauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const (
	issuer   = "https://id.test/api/v1/platform/oauth"
	clientID = "app"
)

// keyring holds one key of each kind, made once.
type keyring struct {
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	another *ecdsa.PrivateKey
}

var keyringOf = sync.OnceValues(func() (k keyring, err error) {
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	if err == nil {
		k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err == nil {
		k.another, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err == nil {
		_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	}

	return k, err
})

func testKeys(t testing.TB) keyring {
	t.Helper()
	k, err := keyringOf()
	require.NoError(t, err)
	return k
}

func keySet(t testing.TB, keys ...jose.JSONWebKey) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	require.NoError(t, err)
	return raw
}

// set has the public halves of the keyring, by the kids r, e and d.
func (k keyring) set(t testing.TB) json.RawMessage {
	t.Helper()
	return keySet(t, jose.JSONWebKey{Key: k.rsa.Public(), KeyID: "r"}, jose.JSONWebKey{
		Key:       k.ec.Public(),
		KeyID:     "e",
		Algorithm: "ES256",
		Use:       "sig",
	},
		jose.JSONWebKey{Key: k.ed.Public(), KeyID: "d"})
}

type claims map[string]any

func good() claims {
	return claims{
		"iss": clientID,
		"sub": clientID,
		"aud": issuer,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix(),
	}
}

func (c claims) with(more claims) claims {
	all := maps.Clone(c)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, header map[jose.HeaderKey]any, c claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	require.NoError(t, err)
	payload, err := json.Marshal(c)
	require.NoError(t, err)
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	token, err := jws.CompactSerialize()
	require.NoError(t, err)
	return token
}

func kid(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }

func asserted(token string) clientauth.Form {
	return clientauth.Form{AssertionType: clientauth.AssertionType, Assertion: token}
}

// noKeys is a source of key sets that must not be asked.
type noKeys struct{ err error }

func (k noKeys) Keys(context.Context, *directory.Application, string) (*clientauth.KeySet, error) {
	return nil, k.err
}

func authenticator(db *database.DB, at time.Time) *clientauth.Authenticator {
	return &clientauth.Authenticator{
		Issuer:     issuer,
		Keys:       noKeys{errors.New("must not be asked")},
		Assertions: assertionstore.New(db),
		Limiter:    limitstore.New(db),
		Rule:       limits.Rule{Failures: 3, Window: time.Minute},
		LimitKey:   []byte("key"),
		Now:        func() time.Time { return at },
	}
}

var address = netip.MustParseAddr("192.0.2.1")

func check(t testing.TB, a *clientauth.Authenticator, app *directory.Application, form clientauth.Form) error {
	t.Helper()
	credentials, err := clientauth.ParseForm(nil, form)
	if err != nil {
		return err
	}
	return a.Authenticate(t.Context(), app, credentials, address)
}

func TestPrivateKeyJWT(t *testing.T) {
	k := testKeys(t)
	keyed := application(func(a *directory.Application) { a.JWKS, a.Secrets = k.set(t), nil })
	lax := application(func(a *directory.Application) {
		a.JWKS, a.Secrets, a.TokenEndpointAudience = k.set(
			t), nil, true
	})
	db := testkit.SQLite(t)
	ec := func(more claims) string { return sign(t, k.ec, jose.ES256, kid("e"), good().with(more)) }
	at := func(d time.Duration) any { return float64(now.Add(d).UnixMilli()) / 1000 }
	for name, tt := range map[string]struct {
		token string
		id    string // client_id in the form
		app   *directory.Application
		code  oauth.Code
		says  string
	}{
		"ES256 (RFC 7523 3)": {token: ec(nil)},
		"RS256":              {token: sign(t, k.rsa, jose.RS256, kid("r"), good())},
		"PS256":              {token: sign(t, k.rsa, jose.PS256, kid("r"), good())},
		"EdDSA":              {token: sign(t, k.ed, jose.EdDSA, kid("d"), good())},
		"no kid, where one key fits (OIDC Core 10.1)": {token: sign(t, k.ec, jose.ES256, nil, good())},
		"client_id beside it (RFC 7521 4.2)":          {token: ec(nil), id: clientID},
		"another client_id beside it":                 {token: ec(nil), id: "other", code: oauth.InvalidRequest},
		"typ JWT (RFC 7519 5.1)": {token: sign(t, k.ec, jose.ES256,
			map[jose.HeaderKey]any{"kid": "e", "typ": "JWT"}, good())},
		"typ client-authentication+jwt": {token: sign(t, k.ec, jose.ES256,
			map[jose.HeaderKey]any{"kid": "e", "typ": "application/client-authentication+jwt"}, good())},
		"typ of a proof for something else (RFC 8725)": {
			token: sign(t, k.ec, jose.ES256, map[jose.HeaderKey]any{"kid": "e", "typ": "dpop+jwt"}, good()),
			code:  oauth.InvalidClient,
		},
		"typ that is a number": {
			token: sign(t, k.ec, jose.ES256, map[jose.HeaderKey]any{"kid": "e", "typ": 1}, good()),
			code:  oauth.InvalidClient,
		},
		"aud as an array of one (RFC 7519 4.1.3)": {token: ec(claims{"aud": []string{issuer}})},
		"aud with another beside the issuer": {
			token: ec(claims{"aud": []string{issuer, "https://evil.test"}}),
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"aud with the issuer twice": {
			token: ec(claims{"aud": []string{issuer, issuer}}),
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"aud the token endpoint": {
			token: ec(claims{"aud": issuer + "/token"}),
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"aud the token endpoint, by an attacker's key": {
			token: sign(t, k.another, jose.ES256, kid("e"), good().with(claims{"aud": issuer + "/token"})),
			app:   lax,
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"aud the token endpoint, allowed (RFC 7523 3)": {token: ec(claims{"aud": issuer + "/token"}), app: lax},
		"aud the issuer, where it may be either":       {token: ec(nil), app: lax},
		"aud both, where it may be either": {
			token: ec(claims{"aud": []string{issuer, issuer + "/token"}}),
			app:   lax,
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"aud another endpoint": {
			token: ec(claims{"aud": issuer + "/revoke"}),
			app:   lax,
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"no aud": {
			token: ec(claims{"aud": nil}),
			code:  oauth.InvalidClient,
			says:  "token_endpoint_audience",
		},
		"aud a number": {token: ec(claims{"aud": 1}), code: oauth.InvalidClient},
		"iss of another client": {
			token: ec(claims{"iss": "other"}),
			code:  oauth.InvalidClient,
			says:  "iss and sub",
		},
		"no iss": {
			token: ec(claims{"iss": nil}),
			code:  oauth.InvalidClient,
			says:  "iss and sub",
		},
		"no sub":           {token: ec(claims{"sub": nil}), code: oauth.InvalidClient},
		"sub beyond ASCII": {token: ec(claims{"sub": "äpp"}), code: oauth.InvalidClient},
		"no jti": {
			token: ec(claims{"jti": nil}),
			code:  oauth.InvalidClient,
			says:  "jti",
		},
		"no exp": {
			token: ec(claims{"exp": nil}),
			code:  oauth.InvalidClient,
			says:  "exp",
		},
		"exp now": {
			token: ec(claims{"exp": at(0)}),
			code:  oauth.InvalidClient,
			says:  "expired",
		},
		"exp with a fraction of a second to go": {token: ec(claims{"exp": at(time.Millisecond)})},
		"exp five minutes ahead":                {token: ec(claims{"exp": at(5 * time.Minute)})},
		"exp five minutes ahead of a clock that is fast": {token: ec(claims{
			"iat": at(time.Second),
			"exp": at(5*time.Minute + time.Second),
		})},
		"exp five minutes ahead of the fastest clock": {token: ec(claims{
			"iat": at(30 * time.Second),
			"exp": at(5*time.Minute + 30*time.Second),
		})},
		"exp more than five minutes ahead of any clock": {
			token: ec(claims{"exp": at(5*time.Minute + 31*time.Second)}),
			code:  oauth.InvalidClient,
			says:  "5 minutes",
		},
		"exp beyond all time": {
			token: ec(claims{"exp": 1e300}),
			code:  oauth.InvalidClient,
			says:  "5 minutes",
		},
		"exp as text":                           {token: ec(claims{"exp": "soon"}), code: oauth.InvalidClient},
		"nbf a moment ahead, for clocks differ": {token: ec(claims{"nbf": at(20 * time.Second)})},
		"nbf well ahead": {
			token: ec(claims{"nbf": at(40 * time.Second)}),
			code:  oauth.InvalidClient,
			says:  "not valid yet",
		},
		"no iat (RFC 7523 3: optional)": {token: ec(claims{"iat": nil})},
		"iat well ahead": {
			token: ec(claims{"iat": at(40 * time.Second)}),
			code:  oauth.InvalidClient,
			says:  "iat",
		},
		"iat yesterday": {
			token: ec(claims{"iat": at(-24 * time.Hour)}),
			code:  oauth.InvalidClient,
			says:  "iat",
		},
		"a key that is not the application's": {
			token: sign(t, k.another, jose.ES256, kid("e"), good()),
			code:  oauth.InvalidClient,
		},
		"a kid that is not the key's": {
			token: sign(t, k.ec, jose.ES256, kid("d"), good()),
			code:  oauth.InvalidClient,
		},
		"a secret as the key (HS256)": {
			token: sign(t, []byte("new-new-new-new-new-new-new-new-"), jose.HS256, nil, good()),
			code:  oauth.InvalidClient,
		},
		"a key in the token itself (jwk) counts nothing": {
			token: sign(t, k.another, jose.ES256,
				map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: k.another.Public()}}, good()),
			code: oauth.InvalidClient,
		},
		"no signature at all (RFC 8725 2.1)": {
			token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhcHAifQ.",
			code:  oauth.InvalidClient,
		},
		"not a JWT": {token: "x", code: oauth.InvalidClient},
		"an application without keys": {
			token: ec(nil),
			app:   application(nil),
			code:  oauth.InvalidClient,
		},
		"an application whose keys are the word null": {
			token: ec(nil),
			app:   application(func(a *directory.Application) { a.JWKS = json.RawMessage("null") }),
			code:  oauth.InvalidClient,
		},
		"a public application with keys": {
			token: ec(nil),
			app:   application(func(a *directory.Application) { a.Type, a.JWKS = directory.SPA, k.set(t) }),
			code:  oauth.InvalidClient,
		},
		"a disabled application with keys": {
			token: ec(nil),
			app:   application(func(a *directory.Application) { a.JWKS, a.Active = k.set(t), false }),
			code:  oauth.InvalidClient,
		},
		"a TENANT application that has proven itself": {
			token: ec(nil),
			app: application(func(a *directory.Application) {
				a.JWKS, a.ScopeLevel = k.set(
					t), directory.TenantScoped
			}),
			code: oauth.UnauthorizedClient,
		},
		"no kid, where several keys fit (OIDC Core 10.1)": {
			token: sign(t, k.ec, jose.ES256, nil, good()),
			app: application(func(a *directory.Application) {
				a.JWKS = keySet(t, jose.JSONWebKey{Key: k.ec.Public()}, jose.JSONWebKey{Key: k.another.Public()})
			}), code: oauth.InvalidClient,
		},
		"a key that is for encryption": {token: ec(nil), app: application(func(a *directory.Application) {
			a.JWKS = keySet(t, jose.JSONWebKey{Key: k.ec.Public(), KeyID: "e", Use: "enc"})
		}), code: oauth.InvalidClient},
	} {
		t.Run(name, func(t *testing.T) {
			app := keyed
			if tt.app != nil {
				app = tt.app
			}

			a := authenticator(db, now)
			a.Rule.Failures = 1000
			form := asserted(tt.token)
			form.ClientID = tt.id
			err := check(t, a, app, form)
			if tt.code == "" {
				require.NoError(t, err)
				requireRefusal(t, check(t, a, app, form), oauth.InvalidClient, false) // RFC 7523 3: jti once
				return
			}

			requireRefusal(t, err, tt.code, false)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestParseFormRefusesTwoMethodsAtOnce(t *testing.T) {
	k := testKeys(t)
	token := sign(t, k.ec, jose.ES256, kid("e"), good())
	for name, tt := range map[string]struct {
		header []string
		form   clientauth.Form
		code   oauth.Code
	}{
		"an assertion and a secret (RFC 6749 2.3)": {
			form: clientauth.Form{AssertionType: clientauth.AssertionType, Assertion: token, ClientSecret: "s"},
			code: oauth.InvalidRequest,
		},
		"an assertion and Basic": {
			header: []string{basic("app:s")},
			form:   asserted(token),
			code:   oauth.InvalidRequest,
		},
		"an assertion and malformed Basic": {
			header: []string{"Basic ???"},
			form:   asserted(token),
			code:   oauth.InvalidRequest,
		},
		"an assertion without its type": {
			form: clientauth.Form{Assertion: token},
			code: oauth.InvalidRequest,
		},
		"the type without an assertion": {
			form: clientauth.Form{AssertionType: clientauth.AssertionType, ClientID: "app", ClientSecret: "s"},
			code: oauth.InvalidRequest,
		},
		"an assertion of another kind (RFC 7522)": {
			form: clientauth.Form{
				AssertionType: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
				Assertion:     token,
			},
			code: oauth.InvalidClient,
		},
		"an assertion too long to be one": {
			form: asserted(token + string(make([]byte, 16<<10))),
			code: oauth.InvalidClient,
		},
		"an empty header beside it counts as absent": {header: []string{" "}, form: asserted(token)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := clientauth.ParseForm(tt.header, tt.form)
			if tt.code != "" {
				requireRefusal(t, err, tt.code, false)
				return
			}

			require.NoError(t, err)
			require.Equal(t, clientauth.PrivateKeyJWT, got.Method)
			require.Equal(t, clientID, got.ClientID)
			require.NotContains(t,
				got.GoString()+got.LogValue().String()+tt.form.GoString()+tt.form.String()+tt.form.LogValue().String(),
				token)
		})
	}
}

// RFC 9110 15.6.4.
func TestKeysThatAreAwayAreNoWrongKeys(t *testing.T) {
	k, db := testKeys(t), testkit.SQLite(t)
	app := application(func(a *directory.Application) { a.JWKSURI = "https://app.test/jwks" })
	a := authenticator(db, now)
	for range 5 {
		err := check(t, a, app, asserted(sign(t, k.ec, jose.ES256, kid("e"), good())))
		var wire *oauth.Error
		require.ErrorAs(t, err, &wire)
		require.Equal(t, oauth.TemporarilyUnavailable, wire.Code, "and it counts as no failure")
	}

	a.Keys = noKeys{}
	requireRefusal(t,
		check(t, a, app, asserted(sign(t, k.ec, jose.ES256, kid("e"), good().with(claims{"exp": now.Unix()})))),
		oauth.InvalidClient, false)
}

// RFC 6749 2.3.1: the endpoint is protected against brute force.
func TestFailuresAreCountedPerClientAndAddress(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		k := testKeys(t)
		app := application(func(a *directory.Application) { a.JWKS = k.set(t) })
		clock := testkit.NewClock(now)
		a := authenticator(db, now)
		a.Now = clock.Now
		try := func(from netip.Addr, secret string) error {
			c, err := clientauth.Parse(nil, clientID, secret)
			require.NoError(t, err)
			return a.Authenticate(t.Context(), app, c, from)
		}

		blocked := func(err error) time.Duration {
			var limit *limits.Error
			require.ErrorAs(t, err, &limit)
			return limit.RetryAfter()
		}

		for range 10 {
			require.NoError(t, try(address, "new"), "right secrets count for nothing")
		}

		for range 2 {
			requireRefusal(t, try(address, "wrong"), oauth.InvalidClient, false)
		}

		require.Equal(t, time.Second, blocked(try(address, "wrong")))
		require.Equal(t, time.Second, blocked(try(address, "wrong")), "while blocked nothing is added")
		require.NoError(t, try(address, "new"), "who knows the secret is never held up")
		require.NoError(t, check(t, a, app, asserted(sign(t, k.ec, jose.ES256, kid("e"), good()))))
		require.NotZero(t, blocked(check(t, a, app, asserted(sign(t, k.another, jose.ES256, kid("e"), good())))),
			"assertions are guesses too")
		requireRefusal(t, try(netip.MustParseAddr("192.0.2.2"), "wrong"), oauth.InvalidClient, false)
		other, err := clientauth.Parse(nil, "other", "wrong")
		require.NoError(t, err)
		var before, after int
		require.NoError(t, db.Get(t.Context(), "test.count", &before, `SELECT count(*) FROM limits`))

		for range 10 { // RFC 6819 4.3.1: refusing an unregistered client costs nothing
			requireRefusal(t, a.Authenticate(t.Context(), nil, other, address), oauth.InvalidClient, false)
		}

		require.NoError(t, db.Get(t.Context(), "test.count", &after, `SELECT count(*) FROM limits`))
		require.Equal(t, before, after)

		clock.Advance(time.Second)
		require.Equal(t, 2*time.Second, blocked(try(address, "wrong")), "the delay doubles")
		clock.Advance(2*time.Second + time.Minute)
		requireRefusal(t, try(address, "wrong"), oauth.InvalidClient, false)
	})
}

func TestAFailureThatCannotBeCountedGetsNoAnswer(t *testing.T) {
	db := testkit.SQLite(t)
	a := authenticator(db, now)
	_, err := db.Exec(t.Context(), "test", `DROP TABLE limits`)
	require.NoError(t, err)
	err = check(t, a, application(nil), clientauth.Form{ClientID: clientID, ClientSecret: "wrong"})
	var refusal *clientauth.Error
	require.False(t, errors.As(err, &refusal), "%v", err)
	require.Error(t, err)
	require.NoError(t, check(t, a, application(nil), clientauth.Form{ClientID: clientID, ClientSecret: "new"}))
}

func FuzzAssertion(f *testing.F) {
	k := testKeys(f)
	f.Add(sign(f, k.ec, jose.ES256, kid("e"), good()))
	f.Add(sign(f, k.rsa, jose.RS256, nil, good().with(claims{"aud": []string{issuer}, "exp": 1e300})))
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhcHAifQ.")
	f.Add("a.b.c")
	app := application(func(a *directory.Application) { a.JWKS = keySet(f, jose.JSONWebKey{Key: k.another.Public()}) })
	a := &clientauth.Authenticator{
		Issuer:     issuer,
		Keys:       noKeys{},
		Assertions: neverUsed{},
		Limiter:    unlimited{},
		Now:        func() time.Time { return now },
	}

	f.Fuzz(func(t *testing.T, token string) {
		c, err := clientauth.ParseForm(nil, asserted(token))
		if err == nil {
			err = a.Authenticate(t.Context(), app, c, address)
		}
		if refusal := (*clientauth.Error)(nil); token != "" && !errors.As(err, &refusal) {
			t.Fatalf("an unused key can't have signed this: %v", err)
		}
	})
}

type neverUsed struct{}

func (neverUsed) Use(context.Context, string, []byte, time.Time) (bool, error) { return true, nil }

type unlimited struct{}

func (unlimited) Take(context.Context, time.Time, ...limits.Claim) ([]limits.Taken, time.Time, error) {
	return nil, time.Time{}, nil
}
