package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const dashboardCallback = "https://dashboard.test/callback"

// newSite serves an empty page and is the origin of a single-page application.
func newSite(t *testing.T) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><title>Page</title><h1>Page</h1>`)
	}))
	t.Cleanup(site.Close)
	return site.URL
}

// newDashboard registers a single-page application of some origins.
func newDashboard(t *testing.T, s *system, origins ...string) {
	t.Helper()
	s.register(t, &directory.Application{
		ClientID:     "dash",
		Type:         directory.SPA,
		RedirectURIs: []string{dashboardCallback},
		CORSOrigins:  origins,
		FirstParty:   true,
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes:       oauth.Scopes{"openid", "email"},
	})
}

// TestPreflights sends what a browser asks before a request (Fetch 4.8).
func TestPreflights(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		const origin = "https://dashboard.test"
		newDashboard(t, s, origin)
		askAt := func(target, origin string) http.Header {
			res, _ := exchange(t, http.MethodOptions, target, "", http.Header{
				"Origin": {origin}, "Access-Control-Request-Method": {"POST"},
				"Access-Control-Request-Headers": {"authorization"},
			})
			require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"), target)
			return res.Header
		}

		ask := func(path, origin string) http.Header { return askAt(s.url(path), origin) }
		for _, path := range []string{"/oauth/token", "/oauth/userinfo", "/oauth/revoke"} {
			require.Equal(t, origin, ask(path, origin).Get("Access-Control-Allow-Origin"), path)
			require.Contains(t, ask(path, origin).Values("Vary"), "Origin", path)
			require.Empty(t, ask(path, "https://evil.test").Get("Access-Control-Allow-Origin"), path)
		}

		for _, path := range []string{
			"/account", "/account/sessions", "/auth/flows/flw_x/password", "/auth/tenants/acme", "/device",
		} {
			require.Empty(t, askAt(s.Origin+path, origin).Get("Access-Control-Allow-Origin"), path)
		}

		for _, path := range []string{
			"/oauth/introspect", "/oauth/device/authorize", "/oauth/device/verify", "/oauth/authorize", "/oauth/logout",
		} {
			require.Empty(t, ask(path, origin).Get("Access-Control-Allow-Origin"), path)
		}
	})
}

// fetchScript runs in the page and returns the response's status and body, or status 0 if
// the browser keeps them from the page.
const fetchScript = `(async () => {
	try {
		const res = await fetch(%q, {method: %q, headers: %s ?? {}, body: %s})
		return {status: res.status, body: await res.text()}
	} catch (err) {
		return {status: 0, body: String(err)}
	}
})()`

type fetched struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

func (b *tab) fetch(method, target string, form url.Values, header map[string]string) fetched {
	b.t.Helper()
	body := "undefined"
	if form != nil {
		body = fmt.Sprintf("new URLSearchParams(%q)", form.Encode())
	}

	headers, err := json.Marshal(header)
	require.NoError(b.t, err)
	return read(b,
		chromedp.Evaluate[fetched](fmt.Sprintf(fetchScript, target, method, headers, body), chromedp.EvalAwaitPromise))
}

// TestASinglePageApplicationInChromium has a real browser apply the rules.
func TestASinglePageApplicationInChromium(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		own, foreign := newSite(t), newSite(t)
		newDashboard(t, s, own)
		rp := newRelyingParty(t, s, "dash", dashboardCallback, "openid", "email")
		a := newAttempt()
		code := rp.code(t, s, a, signIn(formbrowser.New(t, "https://").Get(rp.begin(a)), "ada@acme.test"))
		redeem := url.Values{
			"grant_type":    {"authorization_code"},
			"client_id":     {"dash"},
			"code":          {code},
			"redirect_uri":  {dashboardCallback},
			"code_verifier": {a.verifier},
		}

		b := newTab(t)
		b.open(foreign)

		for _, open := range []string{s.Issuer + "/.well-known/openid-configuration", s.url("/.well-known/jwks.json")} {
			got := b.fetch(http.MethodGet, open, nil, nil)
			require.Equal(t, http.StatusOK, got.Status, "%s is public: %s", open, got.Body)
		}

		wrong := url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"dash"},
			"code":         {"wrong"},
			"redirect_uri": {dashboardCallback},
		}

		require.Zero(t, b.fetch(http.MethodPost, s.url("/oauth/token"), wrong, nil).Status,
			"another's page reads nothing")

		b.open(own)
		require.Contains(t, b.fetch(http.MethodPost, s.url("/oauth/token"), wrong, nil).Body, "invalid_grant",
			"the own page reads errors too")
		answer := b.fetch(http.MethodPost, s.url("/oauth/token"), redeem, nil)
		require.Equal(t, http.StatusOK, answer.Status, answer.Body)
		var tokens oauth2.Token
		require.NoError(t, json.Unmarshal([]byte(answer.Body), &tokens))
		bearer := map[string]string{"Authorization": "Bearer " + tokens.AccessToken}
		require.Contains(t, b.fetch(http.MethodGet, s.url("/oauth/userinfo"), nil, bearer).Body,
			"ada@acme.test", "after a preflight")

		b.open(foreign)
		require.Zero(t, b.fetch(http.MethodGet, s.url("/oauth/userinfo"), nil, bearer).Status)

		b.open(own)
		gone := url.Values{"client_id": {"dash"}, "token": {tokens.AccessToken}}
		require.Equal(t, http.StatusOK, b.fetch(http.MethodPost, s.url("/oauth/revoke"), gone, nil).Status)
		require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, s.url("/oauth/userinfo"), nil, bearer).Status)
	})
}
