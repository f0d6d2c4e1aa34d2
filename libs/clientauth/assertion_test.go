package clientauth_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

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
