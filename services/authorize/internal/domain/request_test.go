package domain_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

const (
	callback  = "https://app.test/callback"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
)

func webApp() *directory.Application {
	return &directory.Application{
		ClientID:     "web",
		Type:         directory.Web,
		ScopeLevel:   directory.Global,
		Active:       true,
		RedirectURIs: []string{callback},
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		Scopes:       oauth.Scopes{"openid", "profile", "offline_access"},
		Audiences:    []string{"https://api.test"},
	}
}

func spaApp() *directory.Application {
	app := webApp()
	app.Type = directory.SPA
	return app
}

// query is a good request with changes; an empty list removes a parameter.
func query(changes url.Values) domain.Values {
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"web"},
		"redirect_uri":  {callback},
		"scope":         {"openid"},
		"state":         {"s"},
	}
	for name, values := range changes {
		q[name] = values
	}

	return func(name string) []string { return q[name] }
}

// RFC 6749 4.1.2.1, RFC 9700 4.11.
func TestFaultsThatAreNeverAnsweredByARedirect(t *testing.T) {
	for name, changes := range map[string]url.Values{
		"client_id twice":           {"client_id": {"web", "web"}},
		"client_id empty":           {"client_id": {""}},
		"client_id absent":          {"client_id": nil},
		"client_id of 10 KiB":       {"client_id": {strings.Repeat("a", 10<<10)}},
		"redirect_uri twice":        {"redirect_uri": {callback, callback}},
		"redirect_uri empty":        {"redirect_uri": {""}},
		"redirect_uri empty, twice": {"redirect_uri": {"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := domain.Parse(query(changes))
			require.Nil(t, request)
			require.Equal(t, oauth.InvalidRequest, err.Code)
		})
	}
}

func TestFaultsThatTheApplicationHearsOf(t *testing.T) {
	codeOnly := webApp()
	codeOnly.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode}
	noGrant := webApp()
	noGrant.Grants = []oauth.GrantType{oauth.GrantRefreshToken}
	type row struct {
		name    string
		app     *directory.Application
		changes url.Values
		want    oauth.Code // empty: no fault
	}

	for _, tc := range []row{
		{"a plain request", nil, nil, ""},
		{"unknown parameters are ignored, doubled ones too (RFC 6749 3.1)", nil, url.Values{"utm": {"a", "b"}}, ""},
		{"state twice (RFC 6749 3.1)", nil, url.Values{"state": {"a", "b"}}, oauth.InvalidRequest},
		{"scope twice (RFC 6749 3.1)", nil, url.Values{"scope": {"openid", "openid"}}, oauth.InvalidRequest},
		{
			"response_mode twice (RFC 6749 3.1)", nil,
			url.Values{"response_mode": {"form_post", "form_post"}},
			oauth.InvalidRequest,
		},
		{"request twice (RFC 6749 3.1)", nil, url.Values{"request": {"a", "b"}}, oauth.InvalidRequest},
		{"a state of 4 KiB", nil, url.Values{"state": {strings.Repeat("s", 4<<10)}}, ""},
		{"a state of more than 4 KiB", nil, url.Values{"state": {strings.Repeat("s", 4<<10+1)}}, oauth.InvalidRequest},
		{"a nonce of more than 4 KiB", nil, url.Values{"nonce": {strings.Repeat("n", 4<<10+1)}}, oauth.InvalidRequest},
		{"a request object (OpenID Connect Core 6.1)", nil, url.Values{"request": {"eyJ"}}, oauth.RequestNotSupported},
		{
			"request_uri (OpenID Connect Core 6.2)", nil,
			url.Values{"request_uri": {"https://x.test"}},
			oauth.RequestURINotSupported,
		},
		{"an empty request is absent", nil, url.Values{"request": {""}, "request_uri": {""}}, ""},
		{
			"response_type=token (RFC 6749 3.1.1)", nil,
			url.Values{"response_type": {"token"}},
			oauth.UnsupportedResponseType,
		},
		{
			"an empty response_type (RFC 6749 3.1.1)", nil,
			url.Values{"response_type": {""}},
			oauth.UnsupportedResponseType,
		},
		{
			"response_type=code id_token (RFC 9700 2.1.2)", nil,
			url.Values{"response_type": {"code id_token"}},
			oauth.UnsupportedResponseType,
		},
		{"response_mode=fragment", nil, url.Values{"response_mode": {"fragment"}}, oauth.InvalidRequest},
		{"response_mode=query", nil, url.Values{"response_mode": {"query"}}, ""},
		{"an application without the grant (RFC 6749 4.1.2.1)", noGrant, nil, oauth.UnauthorizedClient},
		{
			"an unknown prompt (OpenID Connect Core 3.1.2.1)", nil,
			url.Values{"prompt": {"create"}},
			oauth.InvalidRequest,
		},
		{
			"prompt=none with another (OpenID Connect Core 3.1.2.1)", nil,
			url.Values{"prompt": {"none login"}},
			oauth.InvalidRequest,
		},
		{"a negative max_age (OpenID Connect Core 3.1.2.1)", nil, url.Values{"max_age": {"-1"}}, oauth.InvalidRequest},
		{"a max_age that isn't a number", nil, url.Values{"max_age": {"1h"}}, oauth.InvalidRequest},
		{"a signed max_age", nil, url.Values{"max_age": {"+1"}}, oauth.InvalidRequest},
		{"an enormous max_age", nil, url.Values{"max_age": {"99999999999999999999"}}, ""},
		{"an empty max_age is absent", nil, url.Values{"max_age": {""}}, ""},
		{"PKCE with S256", nil, url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}}, ""},
		{
			"a challenge without a method means plain (RFC 7636 4.3)", nil,
			url.Values{"code_challenge": {challenge}},
			oauth.InvalidRequest,
		},
		{
			"code_challenge_method=plain (RFC 9700 2.1.1)", nil,
			url.Values{"code_challenge": {challenge}, "code_challenge_method": {"plain"}},
			oauth.InvalidRequest,
		},
		{
			"a method without a challenge (RFC 7636 4.3)", nil,
			url.Values{"code_challenge_method": {"S256"}},
			oauth.InvalidRequest,
		},
		{
			"a challenge of 42 characters (RFC 7636 4.2)", nil,
			url.Values{"code_challenge": {challenge[:42]}, "code_challenge_method": {"S256"}},
			oauth.InvalidRequest,
		},
		{
			"a challenge with padding (RFC 7636 4.2)", nil,
			url.Values{"code_challenge": {challenge + "="}, "code_challenge_method": {"S256"}},
			oauth.InvalidRequest,
		},
		{"a public application without PKCE (RFC 9700 2.1.1)", spaApp(), nil, oauth.InvalidRequest},
		{
			"a public application with PKCE", spaApp(),
			url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}},
			"",
		},
		{"an empty scope", nil, url.Values{"scope": {""}}, oauth.InvalidScope},
		{"only unknown scopes (RFC 6749 3.3)", nil, url.Values{"scope": {"admin root"}}, oauth.InvalidScope},
		{"a scope outside the grammar (RFC 6749 3.3)", nil, url.Values{"scope": {`openid "x"`}}, oauth.InvalidScope},
		{
			"offline_access alone without the refresh grant", codeOnly,
			url.Values{"scope": {"offline_access"}},
			oauth.InvalidScope,
		},
		{"a resource of the application (RFC 8707 2)", nil, url.Values{"resource": {"https://api.test"}}, ""},
		{"an empty resource is absent", nil, url.Values{"resource": {""}}, ""},
		{"another resource (RFC 8707 2)", nil, url.Values{"resource": {"https://other.test"}}, oauth.InvalidTarget},
		{"two resources", nil, url.Values{"resource": {"https://api.test", "https://api.test"}}, oauth.InvalidTarget},
		{"wishes we do not know (OpenID Connect Core 3.1.2.1, 5.2, 5.5)", nil, url.Values{
			"acr_values":     {"phr"},
			"ui_locales":     {"xx"},
			"claims_locales": {"xx"},
			"claims":         {"{"},
			"display":        {"wap"},
			"login_hint":     {strings.Repeat("a", 5000)},
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			app := tc.app
			if app == nil {
				app = webApp()
			}

			request, direct := domain.Parse(query(tc.changes))
			require.Nil(t, direct)
			fault := request.Check(app)
			if tc.want == "" {
				require.Nil(t, fault)
				return
			}

			require.NotNil(t, fault)
			require.Equal(t, tc.want, fault.Code)
			require.NotEmpty(t, fault.Description)
		})
	}
}

// OAuth 2.0 Multiple Response Type Encoding Practices 2.1, OAuth 2.0 Form Post
// Response Mode 2.
func TestWhatAnErrorIsAnsweredBy(t *testing.T) {
	for name, tc := range map[string]struct {
		changes url.Values
		mode    oauth.ResponseMode
		state   string
	}{
		"by query with the state": {nil, "query", "s"},
		"by form_post": {
			url.Values{"response_mode": {"form_post"}, "prompt": {"x"}}, "form_post", "s",
		},
		"a doubled state is not echoed":     {url.Values{"state": {"a", "a"}}, "query", ""},
		"an oversized state is not echoed":  {url.Values{"state": {strings.Repeat("a", 5000)}}, "query", ""},
		"a doubled response_mode is query":  {url.Values{"response_mode": {"form_post", "form_post"}}, "query", "s"},
		"an unknown response_mode is query": {url.Values{"response_mode": {"jwt"}}, "query", "s"},
	} {
		t.Run(name, func(t *testing.T) {
			request, _ := domain.Parse(query(tc.changes))
			require.Equal(t,
				domain.Reply{RedirectURI: callback, Mode: tc.mode, State: tc.state}, domain.ReplyTo(&request.Authorization))
		})
	}
}

// RFC 6749 3.3.
func TestScopesAreNarrowedToWhatTheApplicationMayHave(t *testing.T) {
	request, _ := domain.Parse(query(url.Values{"scope": {"openid admin  profile openid offline_access"}}))
	require.Nil(t, request.Check(webApp()))
	require.Equal(t, oauth.Scopes{"openid", "profile", "offline_access"}, request.Flow().Scope)

	codeOnly := webApp()
	codeOnly.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode}
	request, _ = domain.Parse(query(url.Values{"scope": {"openid offline_access"}}))
	require.Nil(t, request.Check(codeOnly))
	require.Equal(t, oauth.Scopes{"openid"}, request.Flow().Scope, "offline_access is dropped without the refresh grant")
}

// RFC 6749 3.1.2.
func TestTheRegisteredURIKeepsItsOwnQuery(t *testing.T) {
	params := url.Values{"code": {"c d"}}
	for uri, want := range map[string]string{
		"https://app.test/cb":        "https://app.test/cb?code=c+d",
		"https://app.test":           "https://app.test?code=c+d",
		"https://app.test/cb?":       "https://app.test/cb?code=c+d",
		"https://app.test/cb?a=1%20": "https://app.test/cb?a=1%20&code=c+d",
		"https://app.test/cb?a=1&":   "https://app.test/cb?a=1&code=c+d",
		"com.example.app:/cb":        "com.example.app:/cb?code=c+d",
		"http://127.0.0.1:7777/cb":   "http://127.0.0.1:7777/cb?code=c+d",
	} {
		require.Equal(t, want, domain.Reply{RedirectURI: uri}.Location(params))
	}
}

// RFC 6749 4.1.2.
func TestTheStateComesBackByteForByte(t *testing.T) {
	for _, state := range []string{"x", "a b+c%20&d=e#f", "ünïcode…", "line\r\nbreak", `"quoted"\`} {
		reply := domain.Reply{RedirectURI: callback, State: state}
		for _, params := range []url.Values{
			reply.Code("iss", "c"), reply.Error("iss", oauth.Errorf(oauth.AccessDenied, "no")),
		} {
			location := reply.Location(params)
			require.NotContains(t, location, "\n")
			u, err := url.Parse(location)
			require.NoError(t, err)
			require.Equal(t, state, u.Query().Get("state"))
			require.Equal(t, "iss", u.Query().Get("iss"), "RFC 9207 2")
		}
	}

	require.NotContains(t, domain.Reply{}.Code("iss", "c"), "state")
}

func FuzzParse(f *testing.F) {
	f.Add("response_type=code&client_id=web&redirect_uri=https://app.test/callback&scope=openid&max_age=0&prompt=none")
	f.Add("client_id=web&redirect_uri=x&resource=a&resource=b&code_challenge=&code_challenge_method=S256")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}

		request, direct := domain.Parse(func(name string) []string { return q[name] })
		require.NotEqual(t, request == nil, direct == nil, "exactly one of the two")

		if request == nil {
			return
		}

		require.Equal(t, q.Get("redirect_uri"), request.RedirectURI)
		require.LessOrEqual(t, len(request.State), domain.MaxState)

		if request.Check(spaApp()) != nil {
			return
		}

		flow := request.Flow()
		require.NotEmpty(t, flow.Scope)
		require.True(t, spaApp().Scopes.Contains(flow.Scope...))
		require.True(t, oauth.ValidPKCE(flow.Authorize.CodeChallenge))
		require.True(t, flow.MaxAge == nil || *flow.MaxAge >= 0)
	})
}
