package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// togetherWith is together with more settings.
func togetherWith(t *testing.T, env ...string) *system {
	t.Helper()
	s := together(t)
	first := s.procs["platform"]
	first.stop(t)
	s.procs["platform"] = start(t, "platform",
		append([]string{"PATH=" + os.Getenv("PATH")}, env...), first.cmd.Args[1:]...)
	s.procs["platform"].waitFor(t, s.admin["platform"], "/readyz")
	return s
}

// OpenID Connect Back-Channel Logout 1.0.
func TestApplicationsAreToldOfALogout(t *testing.T) {
	application, heard := listeningApplication(t)
	allow := "PLATFORM_OUTBOUND_ALLOW=" + strings.TrimPrefix(application, "http://")
	ways := map[string]func(t *testing.T) *system{
		"together": func(t *testing.T) *system { t.Helper(); return togetherWith(t, allow) },
		"apart":    func(t *testing.T) *system { t.Helper(); return deploy(t, fleet{env: []string{allow}}) },
	}
	if standing != nil { // which may reach all of loopback
		ways = map[string]func(t *testing.T) *system{"standing": func(*testing.T) *system { return standing }}
	}

	for way, launch := range ways {
		t.Run(way, func(t *testing.T) {
			toldOfALogout(t, launch(t), application, heard)
		})
	}
}

// listeningApplication is an application's server: its URL and what it hears.
func listeningApplication(t *testing.T) (url string, heard <-chan *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		requests <- r
	}))

	t.Cleanup(server.Close)
	return server.URL, requests
}

func toldOfALogout(t *testing.T, s *system, application string, heard <-chan *http.Request) {
	t.Helper()
	_, err := s.database(t).Exec(t.Context(), "test",
		`UPDATE applications SET backchannel_logout_uri = $1 WHERE client_id = 'portal'`, application+"/out?tenant=all")
	require.NoError(t, err)
	rp := newRelyingParty(t, s, "portal", portalCallback, "openid", "offline_access")
	browser := formbrowser.New(t, "https://")
	a := newAttempt()
	tokens, id := rp.redeem(t, a, rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test")))
	var of struct {
		Session string `json:"sid"`
	}
	require.NoError(t, id.Claims(&of))
	require.NotEmpty(t, of.Session)

	page := browser.Get(s.url("/oauth/logout?" + url.Values{
		"id_token_hint":            {tokens.Extra("id_token").(string)},
		"post_logout_redirect_uri": {"https://portal.test/bye"}, "state": {"s 1"},
	}.Encode()))
	require.Equal(t, "https://portal.test/bye?state=s+1", page.Location().String(),
		"OpenID Connect RP-Initiated Logout 1.0 3")

	var told *http.Request
	select {
	case told = <-heard:
	case <-time.After(2 * time.Minute):
		require.Fail(t, "the application was not told")
	}

	require.Equal(t, http.MethodPost, told.Method, "Back-Channel Logout 2.5")
	require.Equal(t, "/out?tenant=all", told.URL.RequestURI())
	raw := told.PostForm.Get("logout_token")
	require.Equal(t, "logout+jwt", headerOf(t, raw)["typ"], "Back-Channel Logout 2.4")
	keys := oidc.NewRemoteKeySet(t.Context(), s.url("/.well-known/jwks.json"))
	_, err = keys.VerifySignature(t.Context(), raw)
	require.NoError(t, err)
	claims := claimsOf(t, raw)
	require.Equal(t, s.Issuer, claims["iss"])
	require.Equal(t, "portal", claims["aud"])
	require.Equal(t, id.Subject, claims["sub"])
	require.Equal(t, of.Session, claims["sid"])
	require.Equal(t,
		map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, claims["events"])
	require.NotEmpty(t, claims["jti"])
	require.NotContains(t, claims, "nonce")

	require.Equal(t, http.StatusOK, browser.Get(rp.begin(newAttempt())).Status, "the browser has to sign in again")
	_, err = rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
	require.NoError(t, err, "offline access outlives the session")
}
