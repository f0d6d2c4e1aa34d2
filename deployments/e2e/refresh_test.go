package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const portalCallback = "https://portal.test/callback"

// renew refreshes as x/oauth2 does when an access token has expired.
func (rp *relyingParty) renew(t *testing.T, tokens *oauth2.Token) (*oauth2.Token, error) {
	t.Helper()
	return rp.TokenSource(t.Context(),
		&oauth2.Token{RefreshToken: tokens.RefreshToken, Expiry: time.Unix(1, 0)}).Token()
}

// about sends a token to revocation or introspection and returns the answer.
func (rp *relyingParty) about(t *testing.T, endpoint, token string) (status int, body map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint,
		strings.NewReader(url.Values{"token": {token}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(rp.ClientID), url.QueryEscape(rp.ClientSecret))
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)

	if len(data) > 0 {
		require.NoError(t, json.Unmarshal(data, &body))
	}

	return res.StatusCode, body
}

func TestStaySignedInByRefreshTokens(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "portal", portalCallback, "openid", "email", "offline_access")
		var metadata struct {
			Revocation    string   `json:"revocation_endpoint"`
			Introspection string   `json:"introspection_endpoint"`
			Grants        []string `json:"grant_types_supported"`
			Scopes        []string `json:"scopes_supported"`
		}

		require.NoError(t, rp.provider.Claims(&metadata))
		require.Contains(t, metadata.Grants, "refresh_token", "RFC 8414 2")
		require.Contains(t, metadata.Scopes, "offline_access", "OpenID Connect Core 11")

		browser := formbrowser.New(t, "https://")
		a := newAttempt()
		tokens, id := rp.redeem(t, a, rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test")))
		require.NotEmpty(t, tokens.RefreshToken)

		renewed, err := rp.renew(t, tokens)
		require.NoError(t, err)
		require.NotEqual(t, tokens.RefreshToken, renewed.RefreshToken, "RFC 9700 4.14.2")
		again, err := rp.provider.Verifier(&oidc.Config{ClientID: rp.ClientID}).Verify(t.Context(),
			renewed.Extra("id_token").(string))
		require.NoError(t, err)
		require.Equal(t, id.Subject, again.Subject, "OpenID Connect Core 12.2")
		require.Empty(t, again.Nonce, "OpenID Connect Core 12.2")

		t.Run("a lost answer costs nothing", func(t *testing.T) {
			repeated, err := rp.renew(t, tokens)
			require.NoError(t, err)
			require.Equal(t, renewed.RefreshToken, repeated.RefreshToken)
		})

		t.Run("offline access outlives the session", func(t *testing.T) {
			page := browser.Get(s.url("/oauth/logout?" +
				url.Values{"id_token_hint": {renewed.Extra("id_token").(string)}}.Encode()))
			require.Less(t, page.Status, http.StatusBadRequest)
			renewed, err = rp.renew(t, renewed)
			require.NoError(t, err)
			_, err = rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(renewed))
			require.NoError(t, err)
		})

		t.Run("introspection knows both (RFC 7662)", func(t *testing.T) {
			for _, token := range []string{renewed.AccessToken, renewed.RefreshToken} {
				status, body := rp.about(t, metadata.Introspection, token)
				require.Equal(t, http.StatusOK, status)
				require.Equal(t, true, body["active"])
				require.Equal(t, id.Subject, body["sub"])
			}

			status, body := newRelyingParty(t, s, "web", webCallback).about(t,
				metadata.Introspection, renewed.AccessToken)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, map[string]any{"active": false}, body, "another application learns nothing")
		})

		t.Run("revocation ends the whole grant (RFC 7009)", func(t *testing.T) {
			status, body := rp.about(t, metadata.Revocation, renewed.RefreshToken)
			require.Equal(t, http.StatusOK, status)
			require.Empty(t, body)
			_, err := rp.renew(t, renewed)
			requireOAuthError(t, err, http.StatusBadRequest, "invalid_grant")
			_, err = rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(renewed))
			require.ErrorContains(t, err, "401")
			_, body = rp.about(t, metadata.Introspection, renewed.AccessToken)
			require.Equal(t, map[string]any{"active": false}, body)
		})
	})
}

func TestOnlineRefreshTokensEndWithTheSession(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "portal", portalCallback, "openid")
		browser := formbrowser.New(t, "https://")
		a := newAttempt()
		tokens, _ := rp.redeem(t, a, rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test")))
		tokens, err := rp.renew(t, tokens)
		require.NoError(t, err)
		page := browser.Get(s.url("/oauth/logout?" +
			url.Values{"id_token_hint": {tokens.Extra("id_token").(string)}}.Encode()))
		require.Less(t, page.Status, http.StatusBadRequest)
		_, err = rp.renew(t, tokens)
		requireOAuthError(t, err, http.StatusBadRequest, "invalid_grant")
		_, err = rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
		require.ErrorContains(t, err, "401")
	})
}
