package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const webCallback = "https://billing.test/callback"

func TestSignInOnceAndHoldTokensThatVerify(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "web", webCallback, "openid", "profile", "email", "phone", "address")
		browser := formbrowser.New(t, "https://")
		a := newAttempt()
		code := rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test"))
		tokens, id := rp.redeem(t, a, code)

		var idClaims map[string]any
		require.NoError(t, id.Claims(&idClaims))
		require.Equal(t, "acme", idClaims["tenant_slug"])
		require.Equal(t, "web", idClaims["azp"])
		require.Equal(t, "1", idClaims["acr"])
		require.Equal(t, []any{"pwd"}, idClaims["amr"], "RFC 8176 2")
		require.NotContains(t, idClaims, "email", "claims of scopes go to userinfo")

		access := claimsOf(t, tokens.AccessToken)
		require.Equal(t, "at+jwt", headerOf(t, tokens.AccessToken)["typ"], "RFC 9068 2.1")
		require.Equal(t, "ES256", headerOf(t, tokens.AccessToken)["alg"])
		require.Equal(t, id.Subject, access["sub"])
		require.Equal(t, "web", access["client_id"])
		require.NotContains(t, access["aud"], "web", "an access token is never for the client itself")
		require.Equal(t, idClaims["sid"], access["sid"])

		for _, name := range []string{
			"iss", "exp", "iat", "jti", "gid", "scope", "auth_time", "acr", "amr", "tenant_id",
			"tenant_slug", "app_scope",
		} {
			require.Contains(t, access, name)
		}

		info, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
		require.NoError(t, err)
		require.Equal(t, id.Subject, info.Subject, "OpenID Connect Core 5.3.2")
		var claims map[string]any
		require.NoError(t, info.Claims(&claims))
		require.Equal(t, "Ada Lovelace", claims["name"])
		require.Equal(t, "ada@acme.test", claims["email"])
		require.Equal(t, true, claims["email_verified"])
		require.Equal(t, "+44 20 7946 0000", claims["phone_number"])
		require.Equal(t, map[string]any{"country": "GB"}, claims["address"])
		require.Equal(t, "acme", claims["tenant_slug"])

		t.Run("a second application signs in without a page", func(t *testing.T) {
			second := newRelyingParty(t, s, "first", "https://second.test/callback", "openid", "email")
			a := newAttempt()
			page := browser.Get(second.begin(a))
			require.Equal(t, http.StatusSeeOther, page.Status)
			_, again := second.redeem(t, a, second.code(t, s, a, page.Location()))
			require.Equal(t, id.Subject, again.Subject)
			var claims map[string]any
			require.NoError(t, again.Claims(&claims))
			require.Equal(t, idClaims["sid"], claims["sid"], "one session")
			require.Equal(t, idClaims["auth_time"], claims["auth_time"], "one authentication")
		})

		t.Run("consent is remembered", func(t *testing.T) {
			a := newAttempt()
			page := browser.Get(rp.begin(a))
			require.Equal(t, http.StatusSeeOther, page.Status)
			rp.code(t, s, a, page.Location())
		})

		t.Run("a replayed code ends what it produced (RFC 6749 4.1.2)", func(t *testing.T) {
			_, err := rp.Exchange(t.Context(), code, oauth2.VerifierOption(a.verifier))
			requireOAuthError(t, err, http.StatusBadRequest, "invalid_grant")
			_, err = rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
			require.ErrorContains(t, err, "401")
		})
	})
}

func TestPublicApplicationsUsePKCEAndNoSecret(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "spa", "https://dashboard.test/callback", "openid", "email")
		rp.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		browser := formbrowser.New(t, "https://", "http://127.0.0.1:4711/")
		a := newAttempt()
		tokens, id := rp.redeem(t, a, rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test")))
		require.NotEmpty(t, id.Subject)
		// In the first moments of a platform the application's algorithm may have no
		// key that every process knows yet; another signs meanwhile.
		require.Eventually(t, func() bool {
			a := newAttempt()
			tokens, id = rp.redeem(t, a, rp.code(t, s, a, browser.Get(rp.begin(a)).Location()))
			return headerOf(t, tokens.AccessToken)["alg"] == "EdDSA"
		}, 2*time.Minute, 100*time.Millisecond, "the application's own choice")

		require.Equal(t, "ES256", headerOf(t, tokens.Extra("id_token").(string))["alg"])

		t.Run("a challenge is required (RFC 9700 2.1.1)", func(t *testing.T) {
			answer := browser.Get(rp.AuthCodeURL("x")).Location()
			require.Equal(t, "invalid_request", answer.Query().Get("error"))
			require.Equal(t, "x", answer.Query().Get("state"))
		})

		t.Run("a native application may use any port on loopback (RFC 8252 7.3), and is always asked for", func(t *testing.T) {
			native := newRelyingParty(t, s, "native", "http://127.0.0.1:4711/callback", "openid")
			native.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			for range 2 {
				a := newAttempt()
				page := browser.Get(native.begin(a))
				require.Equal(t, http.StatusOK, page.Status, "the consent page is not skipped")
				native.redeem(t, a, native.code(t, s, a, page.Submit("Allow", nil).Location()))
			}
		})
	})
}

func TestMembershipDecidesAfterAuthentication(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "first", "https://second.test/callback", "openid")
		t.Run("a person in two tenants chooses one", func(t *testing.T) {
			browser := formbrowser.New(t, "https://")
			a := newAttempt()
			page := browser.Get(rp.begin(a)).Submit("Continue",
				url.Values{"email": {"grace@globex.test"}}).Submit("Sign in", url.Values{"password": {password}})
			require.Contains(t, page.Text(), "Acme Corp")
			_, id := rp.redeem(t, a, rp.code(t, s, a, page.Submit("Globex", nil).Location()))
			var claims map[string]any
			require.NoError(t, id.Claims(&claims))
			require.Equal(t, "globex", claims["tenant_slug"])
		})

		t.Run("a person in none is told so", func(t *testing.T) {
			browser := formbrowser.New(t, "https://")
			page := browser.Get(rp.begin(newAttempt())).Submit("Continue",
				url.Values{"email": {"lonely@nowhere.test"}}).Submit("Sign in", url.Values{"password": {password}})
			require.Less(t, page.Status, 500)
			require.False(t, strings.HasPrefix(page.Header.Get("Location"), "https://second.test"))
		})

		t.Run("a wrong password says the same to everyone", func(t *testing.T) {
			var texts []string
			for _, email := range []string{"ada@acme.test", "nobody@acme.test"} {
				page := formbrowser.New(t).Get(rp.begin(newAttempt())).Submit("Continue",
					url.Values{"email": {email}}).Submit("Sign in", url.Values{"password": {"wrong"}})
				texts = append(texts, strings.ReplaceAll(page.Text(), email, "…"))
			}
			require.Equal(t, texts[0], texts[1])
		})
	})
}

func TestDenyingConsentIsAnAnswer(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "web", "http://127.0.0.1:9/callback?tenant=all", "openid")
		browser := formbrowser.New(t, "https://", "http://127.0.0.1:9/")
		a := newAttempt()
		page := browser.Get(rp.begin(a)).Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
			url.Values{"password": {password}})
		answer := page.Submit("Do not allow", nil).Location()
		require.Equal(t, "access_denied", answer.Query().Get("error"), "RFC 6749 4.1.2.1")
		require.Equal(t, a.state, answer.Query().Get("state"))
		require.Equal(t, "all", answer.Query().Get("tenant"), "the registered URI's own query is kept")
	})
}

func TestClientCredentials(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for name, style := range map[string]oauth2.AuthStyle{
			"client_secret_basic": oauth2.AuthStyleInHeader,
			"client_secret_post":  oauth2.AuthStyleInParams,
		} {
			t.Run(name, func(t *testing.T) {
				config := clientcredentials.Config{
					ClientID:       "service",
					ClientSecret:   secrets["service"],
					TokenURL:       s.url("/oauth/token"),
					AuthStyle:      style,
					EndpointParams: url.Values{"resource": {"https://api.billing.test"}},
				}

				token, err := config.Token(t.Context())
				require.NoError(t, err)
				claims := claimsOf(t, token.AccessToken)
				require.Equal(t, "service", claims["sub"], "RFC 9068 2.2")
				require.Equal(t, true, claims["platform_token"])
				require.Equal(t, "api:read api:write", claims["scope"], "all of the application's")
				require.Equal(t, "https://api.billing.test", claims["aud"], "RFC 8707 2")
				require.Empty(t, token.RefreshToken, "RFC 6749 4.4.3")

				keys := oidc.NewRemoteKeySet(t.Context(), s.url("/.well-known/jwks.json"))
				_, err = keys.VerifySignature(t.Context(), token.AccessToken)
				require.NoError(t, err)
			})
		}
	})
}

func TestRestartKeepsUsersSessionsGrantsAndKeys(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "first", "https://second.test/callback", "openid", "email")
		browser := formbrowser.New(t, "https://")
		a := newAttempt()
		tokens, _ := rp.redeem(t, a, rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test")))
		_, before := fetch(t.Context(), s.url("/.well-known/jwks.json"))

		s.restart(t)

		_, after := fetch(t.Context(), s.url("/.well-known/jwks.json"))
		require.JSONEq(t, before, after)
		_, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
		require.NoError(t, err, "the grant lives")
		a = newAttempt()
		page := browser.Get(rp.begin(a))
		require.Equal(t, http.StatusSeeOther, page.Status, "the session lives")
		rp.redeem(t, a, rp.code(t, s, a, page.Location()))
	})
}

func requireOAuthError(t *testing.T, err error, status int, code string) {
	t.Helper()
	var answer *oauth2.RetrieveError
	require.ErrorAs(t, err, &answer)
	require.Equal(t, code, answer.ErrorCode)
	require.Equal(t, status, answer.Response.StatusCode)
}

func headerOf(t *testing.T, token string) map[string]any { return part(t, token, 0) }
func claimsOf(t *testing.T, token string) map[string]any { return part(t, token, 1) }

func part(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	data, err := base64.RawURLEncoding.DecodeString(parts[i])
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(data, &v))
	return v
}
