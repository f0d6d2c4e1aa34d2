package e2e

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const password = "correct horse battery staple"

// relyingParty is an application as its developer would write it, with
// coreos/go-oidc and x/oauth2.
type relyingParty struct {
	oauth2.Config
	provider *oidc.Provider
}

var secrets = map[string]string{
	"web":         "web-secret-that-is-long-enough-123",
	"first":       "first-secret-that-is-long-enough-1",
	"service":     "service-secret-that-is-long-enough",
	"tenant-only": "tenant-secret-that-is-long-enough1",
	"portal":      "portal-secret-that-is-long-enough1",
}

func newRelyingParty(t testing.TB, s *system, client, redirect string, scopes ...string) *relyingParty {
	t.Helper()
	provider, err := oidc.NewProvider(context.WithoutCancel(t.Context()), s.Issuer)
	require.NoError(t, err)
	rp := &relyingParty{provider: provider, Config: oauth2.Config{
		ClientID:     client,
		ClientSecret: secrets[client],
		Endpoint:     provider.Endpoint(),
		RedirectURL:  redirect,
		Scopes:       scopes,
	}}

	return rp
}

// attempt is one authorization request.
type attempt struct {
	state, nonce, verifier string
}

func newAttempt() attempt {
	return attempt{
		state:    oauth2.GenerateVerifier(),
		nonce:    oauth2.GenerateVerifier(),
		verifier: oauth2.GenerateVerifier(),
	}
}

func (rp *relyingParty) begin(a attempt, more ...oauth2.AuthCodeOption) string {
	return rp.AuthCodeURL(a.state,
		append([]oauth2.AuthCodeOption{oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)}, more...)...)
}

// code takes the code from the redirect that ends a flow, after checking what
// came with it.
func (rp *relyingParty) code(t testing.TB, s *system, a attempt, answer *url.URL) string {
	t.Helper()
	require.Empty(t, answer.Query().Get("error"), answer.Query().Get("error_description"))
	require.Equal(t, a.state, answer.Query().Get("state"), "state comes back as it was sent")
	require.Equal(t, s.Issuer, answer.Query().Get("iss"), "RFC 9207 2")
	require.NotEmpty(t, answer.Query().Get("code"))
	return answer.Query().Get("code")
}

// redeem exchanges a code and verifies the ID token, its nonce and its at_hash.
func (rp *relyingParty) redeem(t testing.TB, a attempt, code string) (*oauth2.Token, *oidc.IDToken) {
	t.Helper()
	tokens, err := rp.Exchange(t.Context(), code, oauth2.VerifierOption(a.verifier))
	require.NoError(t, err)
	raw, ok := tokens.Extra("id_token").(string)
	require.True(t, ok, "the answer has an id_token")
	id, err := rp.provider.Verifier(&oidc.Config{
		ClientID:             rp.ClientID,
		SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256},
	}).Verify(t.Context(), raw)
	require.NoError(t, err)
	require.Equal(t, a.nonce, id.Nonce)
	require.NoError(t, id.VerifyAccessToken(tokens.AccessToken), "at_hash")
	return tokens, id
}

// signIn goes through the sign-in pages as a person does, consent included, and
// returns the redirect to the application.
func signIn(page *formbrowser.Page, email string) *url.URL {
	page = page.Submit("Continue", url.Values{"email": {email}})
	page = page.Submit("Sign in", url.Values{"password": {password}})
	for page.Status == http.StatusOK && page.Has("action") {
		page = page.Submit("Allow", nil)
	}
	return page.Location()
}
