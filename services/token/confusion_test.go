package token_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// use is one way of presenting a token to an endpoint.
type use struct {
	aud     string   // for which the right type is accepted
	accepts []string // types
	works   func(token string) bool
}

// uses are all ways of presenting a token of the application front. subject is a good access token of a person at it.
func (w *world) uses(t *testing.T, subject string) map[string]use {
	t.Helper()
	const access, exchangedJWT, id = "at+jwt", "token-exchange+jwt", "JWT"
	swap := func(kind string) func(string) bool {
		return func(token string) bool {
			return w.post(t, exchange("front", token, form{"subject_token_type": kind})).status == http.StatusOK
		}
	}
	acting := func(kind string) func(string) bool {
		return func(token string) bool {
			more := form{"actor_token": token, "actor_token_type": kind}
			return w.post(t, exchange("front", subject, more)).status == http.StatusOK
		}
	}
	redeems := func(f form, field string) func(string) bool {
		return func(token string) bool {
			return w.post(t, client("front").with(f).with(form{field: token})).status == http.StatusOK
		}
	}

	return map[string]use{
		"userinfo": {issuer, []string{access}, func(token string) bool {
			return w.userinfo(t, token).status == http.StatusOK
		}},
		"introspect": {issuer, []string{access, exchangedJWT}, func(token string) bool {
			return w.introspect(t, client("front"), token).body["active"] == true
		}},
		"revoke": {issuer, []string{access, exchangedJWT}, func(token string) bool {
			revoked := func() int { return w.told(t, "token.revoked") + w.told(t, "token.family_revoked") }
			before := revoked()
			w.serve(aboutRequest(revokePath, client("front").with(form{"token": token}).encode()))
			return revoked() > before
		}},
		"exchange an access_token":      {issuer, []string{access}, swap(accessType)},
		"exchange a jwt":                {issuer, []string{access, exchangedJWT}, swap(jwtType)},
		"exchange a jwt for the client": {"front", []string{access, exchangedJWT, id}, swap(jwtType)},
		"exchange an id_token":          {"front", []string{id}, swap(idType)},
		"act with an access_token":      {issuer, []string{access}, acting(accessType)},
		"act with an id_token":          {"front", []string{id}, acting(idType)},
		"redeem as a code": {issuer, nil, redeems(
			form{"grant_type": "authorization_code", "redirect_uri": redirectURI, "code_verifier": verifier}, "code")},
		"refresh": {issuer, nil, redeems(form{"grant_type": "refresh_token"}, "refresh_token")},
		"redeem as a device code": {issuer, nil, redeems(
			form{"grant_type": string(oauth.GrantDeviceCode)}, "device_code")},
	}
}

// RFC 8725 3.11, RFC 9068 4: one key set verifies tokens of several types. Each use accepts its own types and no other,
// whatever the claims are: here they are those of all types together, and always signed by a key of ours.
func TestNoTokenPassesForOneOfAnotherType(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		tokens := w.signedIn(t, w.person(t), "front", nil)
		subject := tokens.str("access_token")
		claims := w.verified(t, tokens.str("id_token"), "JWT", "RS256")
		maps.Copy(claims, w.verified(t, subject, "at+jwt", "ES256"))
		claims["events"] = map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}

		for name, use := range w.uses(t, subject) {
			for _, typ := range []string{
				"at+jwt", "JWT", "token-exchange+jwt", "logout+jwt", "", "jwt+at", "secevent+jwt", "dpop+jwt",
				"oauth-authz-req+jwt", "token-introspection+jwt", "client-authentication+jwt",
			} {
				all := maps.Clone(claims)
				all["aud"], all["jti"] = use.aud, rand.Text() // one may be revoked
				require.Equal(t, slices.Contains(use.accepts, typ), use.works(w.signed(t, typ, all)), "%s: %q", name, typ)
			}
		}
	})
}

// RFC 6749 1.5, RFC 7662 2.2: what has no type, because it is no JWT, is what it was issued as.
func TestAnOpaqueTokenIsOnlyWhatItWasIssuedAs(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		subject := w.signedIn(t, p, "front", nil).str("access_token")

		for name, use := range w.uses(t, subject) {
			code := w.code(t, p, nil)
			require.False(t, use.works(code), "%s: another's code", name)
			refreshToken := w.signedIn(t, p, "front", offline).str("refresh_token")
			require.NotEmpty(t, refreshToken)
			require.Equal(t, slices.Contains([]string{"introspect", "refresh", "revoke"}, name), use.works(refreshToken),
				"%s: refresh token", name)
		}
	})
}
