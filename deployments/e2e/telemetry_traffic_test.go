package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// useTokens presents them wherever tokens are taken.
func (o *observed) useTokens(t *testing.T, rp *relyingParty, tokens *oauth2.Token) {
	t.Helper()
	_, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
	require.NoError(t, err)
	res, _ := exchange(t, http.MethodPost, o.url("/oauth/userinfo"),
		url.Values{"access_token": {tokens.AccessToken}}.Encode(), nil)
	require.Equal(t, http.StatusOK, res.StatusCode)

	for _, wrong := range []string{
		"a-marked-access-token", tokens.AccessToken[:len(tokens.AccessToken)-9] + "AAAAAAAAA",
	} {
		res, _ = exchange(t, http.MethodGet, o.url("/oauth/userinfo"), "",
			http.Header{"Authorization": {"Bearer " + wrong}})
		require.Equal(t, http.StatusUnauthorized, res.StatusCode)
	}

	for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, "a-marked-other-token"} {
		status, _ := rp.about(t, o.url("/oauth/introspect"), token)
		require.Equal(t, http.StatusOK, status)
	}

	status, _ := rp.about(t, o.url("/oauth/revoke"), "a-marked-other-token")
	require.Equal(t, http.StatusOK, status)
	form := portal(url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {tokens.AccessToken},
		"subject_token_type": {accessType},
		"audience":           {billingAPI},
		"scope":              {"api:read"},
	})

	exchange(t, http.MethodPost, o.url("/oauth/token"), form.Encode(), nil)
}

// machines authenticate in every way, right and wrong.
func (o *observed) machines(t *testing.T, tokens *oauth2.Token) {
	t.Helper()
	inline, published := newMachine(t, o.system, "billing-api"), newMachine(t, o.system, "published-api")
	o.keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{published.key.Public()}}
	o.register(t, &directory.Application{
		ClientID:  published.id,
		Type:      directory.Service,
		JWKSURI:   o.application.URL + "/jwks",
		Grants:    []oauth.GrantType{oauth.GrantClientCredentials},
		Scopes:    oauth.Scopes{"api:read"},
		Audiences: []string{ledgerAPI},
	})

	for _, m := range []*machine{inline, published} {
		require.Eventually(t, func() bool { // the registry is cached for some seconds
			status, _ := m.send(t, o.system, "/oauth/token",
				url.Values{"grant_type": {"client_credentials"}, "resource": {ledgerAPI}})
			return status == http.StatusOK
		}, testkit.Patience, 200*time.Millisecond, m.id)
	}

	inline.send(t, o.system, "/oauth/token", url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"audience":           {ledgerAPI},
		"subject_token":      {tokens.AccessToken},
		"subject_token_type": {accessType},
	})

	service := url.Values{"grant_type": {"client_credentials"}, "resource": {billingAPI}}
	basic := func(secret string) http.Header {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth("service", secret)
		return r.Header
	}
	for _, tt := range []struct {
		secret string
		status int
	}{{secrets["service"], http.StatusOK}, {"a-marked-wrong-secret", http.StatusUnauthorized}} {
		res, _ := exchange(t, http.MethodPost, o.url("/oauth/token"), service.Encode(), basic(tt.secret))
		require.Equal(t, tt.status, res.StatusCode)
		post := url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {"service"},
			"client_secret": {tt.secret},
			"resource":      {billingAPI},
		}

		res, _ = exchange(t, http.MethodPost, o.url("/oauth/token"), post.Encode(), nil)
		require.Equal(t, tt.status, res.StatusCode)
	}
}

// strangers sends nonsense, with secrets where none belong.
func (o *observed) strangers(t *testing.T) {
	t.Helper()
	token, marked := o.url("/oauth/token"), func(form url.Values) string { return portal(form).Encode() }
	header := http.Header{
		"Traceparent": {strangersTrace},
		"Tracestate":  {"vendor=a-marked-tracestate"},
		"Baggage":     {"user=a-marked-baggage"},
	}
	for _, r := range []struct {
		method, target, body string
		header               http.Header
	}{
		{http.MethodPost, token, marked(url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {"a-marked-code"},
			"redirect_uri":  {portalCallback},
			"code_verifier": {strings.Repeat("marked-verifier", 4)},
		}), header},
		{
			http.MethodPost, token,
			marked(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a-marked-refresh-token"}}), nil,
		},
		{
			http.MethodPost, token,
			marked(url.Values{"grant_type": {"a-marked-grant-type"}, "password": {"a-marked-password"}}), nil,
		},
		{
			http.MethodPost, token,
			marked(url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {"a-marked-one-of-two", "a-marked-two-of-two"},
			}), nil,
		},
		{http.MethodPost, token, "client_secret=a-marked-secret&code=%zz", nil},
		{
			http.MethodPost, token, `{"client_secret":"a-marked-json-secret"}`,
			http.Header{"Content-Type": {"application/json"}},
		},
		{
			http.MethodPost, o.url("/oauth/device/verify"),
			url.Values{"user_code": {"BCDF-GHJK"}, "csrf_token": {"a-marked-form-token"}}.Encode(), nil,
		},
		{http.MethodGet, o.url("/oauth/device/verify?user_code=BCDF-GHJK"), "", nil},
		{
			http.MethodGet,
			o.url("/oauth/authorize?client_id=web&response_type=code&redirect_uri=https://evil.test&state=a-marked-evil-state&code=a-marked-query-code"), "", nil,
		},
		{
			http.MethodGet,
			o.url("/oauth/logout?id_token_hint=eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYXJrZWQifQ.bWFya2VkLXNpZw"), "", nil,
		},
		{
			http.MethodGet, o.Origin + "/account", "",
			http.Header{"Cookie": {"platform_session=a-marked-session-cookie; platform_browser=a-marked-browser-cookie"}},
		},
		{
			http.MethodPost, o.Origin + "/auth/flows/flw_unknown/password",
			"password=a-marked-stray-password&csrf_token=a-marked-stray-token", nil,
		},
		{http.MethodPatch, o.Origin + "/nowhere?access_token=a-marked-stray-access-token", "", nil},
	} {
		res, _ := exchange(t, r.method, r.target, r.body, r.header)
		require.Less(t, res.StatusCode, 500, r.target)
	}
}

// strangersTrace is a trace that a client asks us to continue.
const (
	strangersID    = "0af7651916cd43dd8448eb211c80319c"
	strangersTrace = "00-" + strangersID + "-b7ad6b7169203331-01"
)
