package token_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// verified checks a token with go-jose alone, as a resource server would, and
// returns its claims.
func (w *world) verified(t *testing.T, token, typ, alg string) map[string]any {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	require.NoError(t, err)
	header := jws.Signatures[0].Protected
	require.Equal(t, typ, header.ExtraHeaders[jose.HeaderType])

	for _, key := range w.keys {
		if key.KID != header.KeyID {
			continue
		}

		require.EqualValues(t, alg, key.Algorithm)
		payload, err := jws.Verify(key.PublicKey)
		require.NoError(t, err)
		var claims map[string]any
		require.NoError(t, json.Unmarshal(payload, &claims))
		return claims
	}

	require.Fail(t, "no such key", header.KeyID)
	return nil
}

func leftHalf(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]) }

func TestTokensSayWhatTheyMust(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		var gid string
		w.clock.Advance(1500 * time.Millisecond)
		now := float64(w.clock.Now().Unix())
		got := w.redeemed(t, p, func(c *grants.AuthorizationCode) { gid = c.GrantID })

		access := w.verified(t, got.str("access_token"), "at+jwt", "ES256")
		require.NotEmpty(t, access["jti"])
		delete(access, "jti")
		authTime := float64(start.Add(-time.Minute).Unix())
		require.Equal(t, map[string]any{
			"iss":         issuer,
			"sub":         p.user.ID,
			"aud":         issuer,
			"exp":         now + 3600,
			"iat":         now,
			"gid":         gid,
			"client_id":   "web",
			"scope":       "openid profile email api:read",
			"auth_time":   authTime,
			"acr":         "1",
			"amr":         []any{"pwd"},
			"sid":         p.session,
			"tenant_id":   "tnt_acme",
			"tenant_slug": "acme",
			"app_scope":   "GLOBAL",
		}, access, "RFC 9068 2.2")

		sum := sha256.Sum256([]byte(got.str("access_token")))
		require.Equal(t, map[string]any{
			"iss":         issuer,
			"sub":         p.user.ID,
			"aud":         "web",
			"azp":         "web",
			"exp":         now + 3600,
			"iat":         now,
			"auth_time":   authTime,
			"nonce":       "n-0S6_WzA2Mj",
			"at_hash":     leftHalf(sum[:]),
			"sid":         p.session,
			"gid":         gid,
			"acr":         "1",
			"amr":         []any{"pwd"},
			"tenant_id":   "tnt_acme",
			"tenant_slug": "acme",
		}, w.verified(t, got.str("id_token"), "JWT", "RS256"), "OpenID Connect Core 2, 3.1.3.6")
	})
}

// RFC 9068 2.2, RFC 7519 4.1.7.
func TestNoTwoTokensShareAnID(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	seen := map[any]bool{}
	for range 20 {
		got := w.post(t, credentials.with(client("web")))
		seen[w.verified(t, got.str("access_token"), "at+jwt", "ES256")["jti"]] = true
	}

	require.Len(t, seen, 20)
}

// OpenID Connect Core 3.1.3.6, 5.4, RFC 9068 2.1.
func TestAnApplicationsOwnChoices(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	p := w.person(t)
	code := w.code(t, p, func(c *grants.AuthorizationCode) { c.ClientID = "own" })
	got := w.post(t, redeem(code).with(client("own")))
	require.Equal(t, http.StatusOK, got.status, got.raw)
	require.EqualValues(t, 300, got.body["expires_in"])
	access := w.verified(t, got.str("access_token"), "at+jwt", "PS256")
	require.InDelta(t, access["iat"].(float64)+300, access["exp"], 0)
	id := w.verified(t, got.str("id_token"), "JWT", "EdDSA")
	sum := sha512.Sum512([]byte(got.str("access_token")))
	require.Equal(t, leftHalf(sum[:]), id["at_hash"], "Ed25519 hashes with SHA-512")
	require.Equal(t, p.user.Email, id["email"], "id_token_claims puts the scopes' claims here")
	require.Equal(t, "Ada Lovelace", id["name"])
	require.Equal(t, "en-GB", id["locale"])
	require.NotContains(t, id, "phone_number", "its scope was not granted")
	w.clock.Advance(5 * time.Minute)
	requireError(t, w.userinfo(t, got.str("access_token")), 401, oauth.InvalidToken)
}

func TestAnAlgorithmTakesEffectWhenItsFirstKeyDoes(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.exec(t, `UPDATE signing_keys SET active_from = $1 WHERE algorithm IN ('PS256', 'EdDSA')`,
		database.At(start.Add(time.Hour)))
	require.Equal(t, http.StatusOK, w.post(t, credentials.with(client("web"))).status, "the keys are known")
	p := w.person(t)
	redeemed := func() answer {
		got := w.post(t, redeem(w.code(t, p, func(c *grants.AuthorizationCode) {
			c.ClientID, c.CreatedAt, c.ExpiresAt = "own", w.clock.Now(), w.clock.Now().Add(time.Minute)
		})).with(client("own")))
		require.Equal(t, http.StatusOK, got.status, got.raw)
		return got
	}

	got := redeemed()
	w.verified(t, got.str("access_token"), "at+jwt", "ES256")
	w.verified(t, got.str("id_token"), "JWT", "RS256")
	w.clock.Advance(time.Hour)
	got = redeemed()
	w.verified(t, got.str("access_token"), "at+jwt", "PS256")
	w.verified(t, got.str("id_token"), "JWT", "EdDSA")
}

// RFC 8707 2, RFC 9068 3.
func TestWhomTokensAreFor(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	p := w.person(t)
	api := oauth.Scopes{"api:read"}
	for name, tt := range map[string]struct {
		code     func(*grants.AuthorizationCode)
		resource string
		want     any
		info     int
	}{
		"openid alone: the issuer":    {want: issuer, info: 200},
		"a resource and openid: both": {resource: apiURI, want: []any{apiURI, issuer}, info: 200},
		"an authorized resource and openid": {
			code: func(c *grants.AuthorizationCode) { c.Resource = apiURI },
			want: []any{apiURI, issuer},
			info: 200,
		},
		"a resource without openid: it only": {
			code:     func(c *grants.AuthorizationCode) { c.Scope = api },
			resource: apiURI,
			want:     apiURI,
			info:     403,
		},
		"neither: the issuer": {
			code: func(c *grants.AuthorizationCode) { c.Scope = api },
			want: issuer,
			info: 403,
		},
	} {
		t.Run(name, func(t *testing.T) {
			code := func(c *grants.AuthorizationCode) {
				c.Resource = tt.resource
				if tt.code != nil {
					tt.code(c)
				}
			}

			got := w.post(t, redeem(w.code(t, p, code)).with(form{"resource": tt.resource}))
			require.Equal(t, http.StatusOK, got.status, got.raw)
			require.Equal(t, tt.want, w.verified(t, got.str("access_token"), "at+jwt", "ES256")["aud"])
			require.Equal(t, tt.info, w.userinfo(t, got.str("access_token")).status)
			require.Equal(t, tt.info == 200, got.str("id_token") != "",
				"an ID token comes with openid, and only with it")
		})
	}
}

// RFC 9110 15.6.4.
func TestNothingIsBurntWhileTheKeysAreAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		code := w.code(t, p, nil)
		device := w.device(t, p, "approved", nil)
		w.keeper.away.Store(true)

		for _, request := range []form{redeem(code), poll(device), credentials.with(client("web"))} {
			got := w.post(t, request)
			requireError(t, got, 503, oauth.TemporarilyUnavailable)
			require.Equal(t, "1", got.header.Get("Retry-After"))
			require.NotContains(t, got.raw, "keeper")
		}

		w.keeper.away.Store(false)

		for _, request := range []form{redeem(code), poll(device), credentials.with(client("web"))} {
			require.Equal(t, http.StatusOK, w.post(t, request).status)
		}
	})
}

func TestAnAlgorithmWithoutAKeyIsUnavailable(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.exec(t, `DELETE FROM signing_keys WHERE algorithm = 'PS256'`)
	requireError(t, w.post(t, credentials.with(client("own"))), 503, oauth.TemporarilyUnavailable)
	require.Equal(t, http.StatusOK, w.post(t, credentials.with(client("web"))).status)
}

func TestClientCredentialsTouchNoTable(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.code(t, w.person(t), nil)
		access := w.redeemed(t, w.person(t), nil).str("access_token")
		require.Equal(t, http.StatusOK, w.post(t, credentials.with(client("web"))).status, "the caches are warm")
		require.NoError(t, db.Close())
		require.Equal(t, http.StatusOK, w.post(t, credentials.with(client("web"))).status)

		for _, got := range []answer{w.post(t, redeem(code)), w.userinfo(t, access)} {
			requireError(t, got, 503, oauth.TemporarilyUnavailable)
			require.Equal(t, "1", got.header.Get("Retry-After"))
		}
	})
}
