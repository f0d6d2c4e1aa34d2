package authorize_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// The published HTTPValidationError, and RFC 6749 4.1.1 for what is required; scope and
// redirect_uri are so by the published API.
func TestAbsentRequiredParametersAnswer422InDeclarationOrder(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	for name, tc := range map[string]struct {
		visit visit
		loc   string
		want  []string
	}{
		"all of a GET": {visit{}, "query", []string{"response_type", "client_id", "redirect_uri", "scope"}},
		"two of a GET": {
			visit{params: webParams(url.Values{"scope": nil, "client_id": nil})},
			"query",
			[]string{"client_id", "scope"},
		},
		"all of a POST": {
			visit{method: http.MethodPost}, "body", []string{"response_type", "client_id", "redirect_uri", "scope"},
		},
		"an empty value of a form": {
			visit{method: http.MethodPost, params: webParams(url.Values{"scope": {""}})}, "body", []string{"scope"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.visit.json = true
			res := w.do(tc.visit)
			require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
			var body struct {
				Detail []struct {
					Type string   `json:"type"`
					Loc  []string `json:"loc"`
				} `json:"detail"`
				Error string `json:"error"`
			}

			require.NoError(t, json.Unmarshal([]byte(res.body), &body))
			require.Equal(t, "invalid_request", body.Error)
			require.Len(t, body.Detail, len(tc.want))

			for i, d := range body.Detail {
				require.Equal(t, "missing", d.Type)
				require.Equal(t, []string{tc.loc, tc.want[i]}, d.Loc)
			}
		})
	}

	page := w.do(visit{})
	require.Equal(t, http.StatusUnprocessableEntity, page.StatusCode)
	require.Contains(t, page.Header.Get("Content-Type"), "text/html")
	require.Contains(t, page.body, "redirect_uri")
}

// RFC 6749 4.1.2.1, RFC 9700 4.11: an authorization server must not redirect to
// what is not registered.
func TestNothingRedirectsToAnUnregisteredURI(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	evil := func(uri string) url.Values { return webParams(url.Values{"redirect_uri": {uri}}) }
	native := func(uri string) url.Values { return params("native", uri, nil) }
	for name, p := range map[string]url.Values{
		"an unknown client_id":                  webParams(url.Values{"client_id": {"nobody"}}),
		"an empty client_id":                    webParams(url.Values{"client_id": {""}}),
		"a client_id twice":                     webParams(url.Values{"client_id": {"web", "web"}}),
		"a client_id of 5 KiB":                  webParams(url.Values{"client_id": {strings.Repeat("w", 5<<10)}}),
		"a disabled application":                params("disabled", callback, nil),
		"a TENANT application":                  params("tenant", callback, nil),
		"an empty redirect_uri":                 evil(""),
		"a redirect_uri twice":                  webParams(url.Values{"redirect_uri": {callback, callback}}),
		"a redirect_uri twice, one evil":        webParams(url.Values{"redirect_uri": {callback, "https://evil.test"}}),
		"another host":                          evil("https://evil.test/callback?own=1"),
		"another scheme":                        evil("http://web.test/callback?own=1"),
		"another case":                          evil("https://WEB.test/callback?own=1"),
		"a path below":                          evil("https://web.test/callback/x?own=1"),
		"without its query":                     evil("https://web.test/callback"),
		"a longer query":                        evil(callback + "&next=https://evil.test"),
		"a fragment":                            evil(callback + "#x"),
		"user information":                      evil("https://web.test@evil.test/callback?own=1"),
		"a backslash":                           evil(`https://evil.test\@web.test/callback?own=1`),
		"a relative URI":                        evil("/callback?own=1"),
		"a scheme-relative URI":                 evil("//web.test/callback?own=1"),
		"script":                                evil("javascript:alert(1)"),
		"white space around":                    evil(" " + callback),
		"a line break":                          evil(callback + "\r\nSet-Cookie: a=b"),
		"a port, for an application of the web": params("web", "https://web.test:444/callback?own=1", nil),
		"loopback by name without opting in":    native("http://localhost/callback"),
		"loopback with user information":        native("http://127.0.0.1:80@evil.test/callback"),
		"loopback with another path":            native("http://127.0.0.1:80/other"),
		"loopback by https":                     native("https://127.0.0.1/callback"),
		"a longer private scheme":               native("com.example.app.evil:/callback"),
	} {
		t.Run(name, func(t *testing.T) {
			// Whatever else is wrong must not lead to the redirect URI either.
			for _, prompt := range []string{"", "none", "bogus"} {
				p["prompt"] = []string{prompt}
				require.NotEmpty(t, w.do(visit{params: p, json: true}).refusedHere(http.StatusBadRequest))
				w.do(visit{params: p}).refusedHere(http.StatusBadRequest)
				if p.Get("client_id") != "" && p.Get("redirect_uri") != "" {
					w.do(visit{params: p, method: http.MethodPost}).refusedHere(http.StatusBadRequest)
				}
			}
		})
	}

	require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`))
}

// RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6, RFC 9207 2.
func TestErrorsGoToTheApplicationWithStateAndIssuer(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for _, tc := range []struct {
			name   string
			client string
			change url.Values
			want   string
		}{
			{
				"an unsupported response_type (RFC 6749 3.1.1)", "web",
				url.Values{"response_type": {"token"}},
				"unsupported_response_type",
			},
			{"the grant is not the application's", "no-grant", nil, "unauthorized_client"},
			{"no scope is left", "web", url.Values{"scope": {"admin"}}, "invalid_scope"},
			{
				"offline_access alone without the refresh grant", "code-only",
				url.Values{"scope": {"offline_access"}},
				"invalid_scope",
			},
			{
				"a resource of others (RFC 8707 2)", "web",
				url.Values{"resource": {"https://other.test"}},
				"invalid_target",
			},
			{
				"two resources", "web",
				url.Values{"resource": {"https://api.test", "https://api.test"}},
				"invalid_target",
			},
			{"a request object", "web", url.Values{"request": {"x"}}, "request_not_supported"},
			{"a request_uri", "web", url.Values{"request_uri": {"x"}}, "request_uri_not_supported"},
			{"plain PKCE", "web", url.Values{"code_challenge_method": nil}, "invalid_request"},
			{"an unknown prompt", "web", url.Values{"prompt": {"create"}}, "invalid_request"},
			{"none with another prompt", "web", url.Values{"prompt": {"none consent"}}, "invalid_request"},
			{"a negative max_age", "web", url.Values{"max_age": {"-1"}}, "invalid_request"},
			{"a nonce twice", "web", url.Values{"nonce": {"a", "b"}}, "invalid_request"},
			{"no one is signed in, with prompt=none", "web", url.Values{"prompt": {"none"}}, "login_required"},
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				t.Run(tc.name+" by "+method, func(t *testing.T) {
					res := w.do(visit{method: method, params: params(tc.client, callback, tc.change)})
					if tc.want == "login_required" && method == http.MethodPost {
						res = w.follow(res, visit{})
					}

					q := res.toApplication(callback + "&")
					require.Equal(t, tc.want, q.Get("error"))
					require.NotEmpty(t, q.Get("error_description"))
					require.Equal(t, "st+a te&", q.Get("state"))
					require.Equal(t, "1", q.Get("own"), "the registered URI's own query is kept")
					require.Empty(t, q.Get("code"))
				})
			}
		}

		require.Zero(t, w.count(`SELECT count(*) FROM authorization_codes`))
	})
}

// RFC 6749 3.1: parameters without a value are treated as omitted; those that must
// be there have a code of their own.
func TestEmptyRequiredQueryValuesFailByTheirOwnCode(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	require.Equal(t, "unsupported_response_type",
		w.do(visit{params: webParams(url.Values{"response_type": {""}})}).toApplication(callback).Get("error"))
	require.Equal(t, "invalid_scope",
		w.do(visit{params: webParams(url.Values{"scope": {""}})}).toApplication(callback).Get("error"))
}

// RFC 6749 4.1.2.1 and 3.1.
func TestStateIsEchoedOnlyWhenItIsOne(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	for name, tc := range map[string]struct {
		state []string
		want  []string
	}{
		"a single character":      {[]string{"x"}, []string{"x"}},
		"4 KiB":                   {[]string{strings.Repeat("y", 4<<10)}, []string{strings.Repeat("y", 4<<10)}},
		"bytes that need escapes": {[]string{"a b+c%20&d=e#\"\\/?ü\r\n"}, []string{"a b+c%20&d=e#\"\\/?ü\r\n"}},
		"none":                    {nil, nil},
		"twice":                   {[]string{"a", "a"}, nil},
		"more than 4 KiB":         {[]string{strings.Repeat("y", 4<<10+1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := w.do(visit{params: webParams(url.Values{"state": tc.state, "prompt": {"bogus"}})}).toApplication(
				callback)
			require.Equal(t, "invalid_request", q.Get("error"))
			require.Equal(t, tc.want, q["state"])
		})
	}
}

// OAuth 2.0 Form Post Response Mode 2.
func TestFormPostCarriesTheAnswerInAPage(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	res := w.do(visit{params: webParams(url.Values{"response_mode": {"form_post"}, "prompt": {"none"}})})
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Empty(t, res.Header.Get("Location"))
	require.Contains(t, res.body, `value="login_required"`)
	require.Contains(t, res.body, `action="https://web.test/callback?own=1"`)
	require.NotContains(t, res.Header.Get("Content-Security-Policy"), "form-action",
		"browsers hold the callback's redirects against it")
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))

	doubled := w.do(visit{params: webParams(url.Values{"response_mode": {"form_post", "form_post"}})})
	require.Equal(t, "invalid_request", doubled.toApplication(callback).Get("error"),
		"a doubled response_mode means query")
}

// RFC 6749 appendix B: parameters are UTF-8 in application/x-www-form-urlencoded;
// RFC 9110 15.5.14 where there is too much of it.
func TestInputThatIsNoTextIsRefusedHere(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	good := webParams(nil).Encode()
	for name, v := range map[string]visit{
		"invalid UTF-8":   {raw: good + "&login_hint=%ff"},
		"NUL":             {raw: good + "&login_hint=%00"},
		"a broken escape": {raw: good + "&login_hint=%zz"},
		"another content type": {
			method:  http.MethodPost,
			params:  webParams(nil),
			headers: http.Header{"Content-Type": {"application/json"}},
		},
		"invalid UTF-8 in a form": {method: http.MethodPost, params: webParams(url.Values{"login_hint": {"\xff"}})},
	} {
		t.Run(name, func(t *testing.T) {
			v.json = true
			require.Equal(t, "invalid_request", w.do(v).refusedHere(http.StatusBadRequest))
		})
	}

	big := w.do(visit{
		method: http.MethodPost,
		json:   true,
		params: webParams(url.Values{"login_hint": {strings.Repeat("a", 1<<20)}}),
	})
	require.Equal(t, "invalid_request", big.refusedHere(http.StatusRequestEntityTooLarge))
}

// RFC 9207 2, RFC 9700 4.13: who we are is configured, and not what Host or a
// forwarding header says.
func TestNoURLComesFromTheRequestsHeaders(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	lies := http.Header{
		"Forwarded":         {"host=evil.test;proto=http"},
		"X-Forwarded-Host":  {"evil.test"},
		"X-Forwarded-Proto": {"http"},
		"X-Original-Url":    {"https://evil.test/"},
	}

	refused := w.do(visit{host: "evil.test", headers: lies, params: webParams(url.Values{"prompt": {"none"}})})
	require.Equal(t, issuer, refused.toApplication(callback).Get("iss"))
	res := w.do(visit{host: "evil.test", headers: lies, params: webParams(nil)})
	require.NotContains(t, res.Header.Get("Location"), "evil.test")
	res.toPages()
}

// RFC 8252 7.3, 8.6: what was registered before http on loopback was for NATIVE
// applications alone leads nowhere, unless an operator says that it is being built.
func TestLoopbackIsForNativeApplicationsAndThoseBeingBuilt(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	const local = "http://127.0.0.1:3000/cb"
	w.exec(`UPDATE applications SET redirect_uris = '["` + local + `"]' WHERE client_id = 'web'`)
	refused := w.do(visit{params: params("web", local, nil), json: true})
	require.Equal(t, "invalid_request", refused.refusedHere(http.StatusBadRequest))
	require.Contains(t, refused.body, "development: true")

	w.exec(`UPDATE applications SET development = true, first_party = true WHERE client_id = 'web'`)
	w.clock.Advance(10 * time.Second) // past the registry's cache
	w.do(visit{params: params("web", local, nil)}).toPages()

	_, session := w.signIn(ada, nil)
	silent := w.do(visit{params: params("web", local, url.Values{"prompt": {"none"}}), session: session})
	require.Equal(t, "interaction_required", silent.toApplication(local).Get("error"), "any program may listen there")
}

// RFC 9110 9.2.1.
func TestHeadChangesNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	res := w.do(visit{method: http.MethodHead, params: webParams(nil)})
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Empty(t, res.Cookies())
	require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`))
	require.Equal(t, http.StatusOK,
		w.do(visit{method: http.MethodHead, params: params("nobody", callback, nil)}).StatusCode,
		"nothing is looked up")
	require.Zero(t, w.count(`SELECT count(*) FROM audit_events`))
}
