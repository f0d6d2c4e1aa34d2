package device_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 8628 3.2.
func TestADeviceGetsItsCodes(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		res := w.do(visit{method: http.MethodPost, path: authorizePath, form: url.Values{"client_id": {"tv"}}})
		body := res.json(http.StatusOK)
		require.Equal(t, "no-cache", res.Header.Get("Pragma"))
		require.Len(t, body["device_code"], 43)
		require.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, body["user_code"])
		require.Equal(t, "https://id.test/device", body["verification_uri"])
		require.Equal(t, "https://id.test/device?user_code="+body["user_code"].(string),
			body["verification_uri_complete"])
		require.EqualValues(t, 600, body["expires_in"])
		require.EqualValues(t, 5, body["interval"])
		require.Equal(t, 1,
			w.count(`SELECT count(*) FROM device_codes WHERE device_code_hash = $1 AND user_code = $2 AND scope = 'openid'`,
				oauth.HashSecret(body["device_code"].(string)), body["user_code"]))
	})
}

func TestWhoMayAskForCodes(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	basic := func(id, secret string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
	}
	for _, tc := range []struct {
		name    string
		form    url.Values
		headers http.Header
		status  int
		want    string
	}{
		{"no client_id", url.Values{}, nil, 422, "invalid_request"},
		{"an empty client_id", url.Values{"client_id": {""}}, nil, 422, "invalid_request"},
		{"client_id twice (RFC 6749 3.2)", url.Values{"client_id": {"tv", "tv"}}, nil, 400, "invalid_request"},
		{"an unknown application", url.Values{"client_id": {"nobody"}}, nil, 401, "invalid_client"},
		{"a disabled application", url.Values{"client_id": {"disabled"}}, nil, 401, "invalid_client"},
		{"a TENANT application", url.Values{"client_id": {"tenant"}}, nil, 400, "unauthorized_client"},
		{"an application without the grant", url.Values{"client_id": {"no-grant"}}, nil, 400, "unauthorized_client"},
		{"an unknown scope", url.Values{"client_id": {"tv"}, "scope": {"admin"}}, nil, 400, "invalid_scope"},
		{"a confidential one by its name alone", url.Values{"client_id": {"web"}}, nil, 200, ""},
		{"with its secret in the form", url.Values{"client_id": {"web"}, "client_secret": {appSecret}}, nil, 200, ""},
		{"with its secret by Basic", url.Values{"client_id": {"web"}}, basic("web", appSecret), 200, ""},
		{"by Basic alone (RFC 8628 3.1)", url.Values{"scope": {"openid"}}, basic("web", appSecret), 200, ""},
		{"by Basic alone, wrong", url.Values{"scope": {"openid"}}, basic("web", "wrong"), 401, "invalid_client"},
		{"a strict one by Basic alone", url.Values{"scope": {"openid"}}, basic("strict", appSecret), 200, ""},
		{
			"by a header that is none",
			url.Values{"scope": {"openid"}},
			http.Header{"Authorization": {"Bearer x"}},
			401, "invalid_client",
		},
		{"an unknown parameter twice", url.Values{"client_id": {"tv"}, "x": {"1", "2"}}, nil, 200, ""},
		{"scope twice", url.Values{"client_id": {"tv"}, "scope": {"openid", "openid"}}, nil, 400, "invalid_request"},
		{
			"with a wrong secret",
			url.Values{"client_id": {"web"}, "client_secret": {"wrong"}},
			nil, 401, "invalid_client",
		},
		{
			"with a wrong secret by Basic",
			url.Values{"client_id": {"web"}},
			basic("web", "wrong"), 401, "invalid_client",
		},
		{
			"a public one with a secret",
			url.Values{"client_id": {"tv"}, "client_secret": {"x"}},
			nil, 401, "invalid_client",
		},
		{
			"by two methods",
			url.Values{"client_id": {"web"}, "client_secret": {appSecret}},
			basic("web", appSecret), 400, "invalid_request",
		},
		{"as another client", url.Values{"client_id": {"tv"}}, basic("web", appSecret), 400, "invalid_request"},
		{"a strict one by its name alone", url.Values{"client_id": {"strict"}}, nil, 401, "invalid_client"},
		{
			"a strict one with its secret",
			url.Values{"client_id": {"strict"}, "client_secret": {appSecret}},
			nil, 200, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := w.do(visit{
				method:  http.MethodPost,
				path:    authorizePath,
				form:    tc.form,
				headers: tc.headers,
			})

			body := res.json(tc.status)
			if tc.want != "" {
				require.Equal(t, tc.want, body["error"])
			}

			challenged := tc.status == 401 && tc.headers != nil
			require.Equal(t, challenged, res.Header.Get("WWW-Authenticate") != "", "RFC 6749 5.2")
		})
	}

	res := w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		body:   `{"client_id":"tv"}`,
		kind:   "application/json",
	})

	require.Equal(t, "invalid_request", res.json(http.StatusBadRequest)["error"])
}

// RFC 8628 3.3, 6.1: case and punctuation do not matter.
func TestWhatAUserCodeStandsFor(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()

	for name, typed := range map[string]string{
		"as shown":           code,
		"in lower case":      strings.ToLower(code),
		"without the hyphen": strings.ReplaceAll(code, "-", ""),
		"with spaces":        " " + strings.Join(strings.Split(code, ""), " "),
	} {
		t.Run(name, func(t *testing.T) {
			body := w.do(visit{path: verifyPath, query: url.Values{"user_code": {typed}}}).json(http.StatusOK)
			require.Equal(t, map[string]any{
				"application_name": "The tv",
				"client_id":        "tv",
				"scopes":           []any{"openid", "profile"},
				"user_code":        code,
				"expires_in":       float64(600),
			}, body, "anonymous callers get no token")
		})
	}

	require.NotEmpty(t, w.csrf(code, session))
	require.Equal(t, "invalid_request", w.do(visit{path: verifyPath}).json(http.StatusUnprocessableEntity)["error"])

	for name, typed := range map[string]string{
		"unknown": "BBBB-BBBB",
		"no code": "hello",
		"empty":   "",
		"long":    strings.Repeat("B", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			body := w.do(visit{path: verifyPath, query: url.Values{"user_code": {typed}}}).json(http.StatusNotFound)
			require.Equal(t, "invalid_grant", body["error"])
		})
	}

	w.clock.Advance(10 * time.Minute)
	require.Equal(t, "invalid_grant",
		w.do(visit{path: verifyPath, query: url.Values{"user_code": {code}}}).json(http.StatusNotFound)["error"],
		"expired")
}

// RFC 8628 3.3.
func TestAnApprovalTellsWhoApproved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for name, send := range map[string]func(code, csrf string) visit{
			"form": func(code, csrf string) visit {
				return visit{form: url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {csrf}}}
			},
			"JSON": func(code, csrf string) visit {
				return visit{
					body: `{"user_code":"` + code + `","action":"approve","csrf_token":"` + csrf + `"}`,
					kind: "application/json; charset=utf-8",
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				code := w.device()
				_, session := w.signIn()
				v := send(code, w.csrf(code, session))
				v.method, v.path, v.session = http.MethodPost, verifyPath, session
				require.Equal(t, map[string]any{"status": "approved"}, w.do(v).json(http.StatusOK))
				require.Equal(t, 1,
					w.count(`SELECT count(*) FROM device_codes WHERE user_code = $1 AND decision = 'approved' AND grant_id LIKE 'gnt_%'
					AND user_id = $2 AND tenant_id = $3 AND auth_time = $4 AND acr = '1'`, code, ada, acme,
						database.At(w.clock.Now())))
				require.Equal(t, "invalid_grant", w.do(v).json(http.StatusNotFound)["error"], "a code is decided once")
			})
		}
	})
}

// RFC 8628 3.3, 3.5.
func TestADenialGrantsNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	res := w.do(visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form:    url.Values{"user_code": {code}, "action": {"deny"}, "csrf_token": {w.csrf(code, session)}},
	})

	require.Equal(t, map[string]any{"status": "denied"}, res.json(http.StatusOK))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM device_codes WHERE user_code = $1 AND decision = 'denied'
		AND grant_id = '' AND tenant_id = '' AND acr = ''`, code), "who denied is known, to show it to them again, and no more")
}

// RFC 8628 5.4, RFC 6749 10.12: a form on another site can't decide.
func TestADecisionIsRefused(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code, other := w.device(), w.device()
	_, session := w.signIn()
	_, stranger := w.signIn()
	csrf := w.csrf(code, session)
	good := func(change func(*visit)) visit {
		v := visit{
			method:  http.MethodPost,
			path:    verifyPath,
			session: session,
			form:    url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {csrf}},
		}

		change(&v)
		return v
	}
	for name, tc := range map[string]struct {
		visit  visit
		status int
	}{
		"without a session": {good(func(v *visit) { v.session = "" }), 401},
		"without a session, whatever the code": {
			good(func(v *visit) { v.session, v.form = "", url.Values{"user_code": {"x"}} }), 401,
		},
		"without the token":                 {good(func(v *visit) { v.form.Del("csrf_token") }), 403},
		"with the token of another code":    {good(func(v *visit) { v.form.Set("user_code", other) }), 403},
		"with the token of another session": {good(func(v *visit) { v.session = stranger }), 403},
		"from another site": {
			good(func(v *visit) { v.headers = http.Header{"Sec-Fetch-Site": {"cross-site"}} }), 403,
		},
		"from a sibling site": {
			good(func(v *visit) { v.headers = http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {origin}} }), 403,
		},
		"from nowhere": {good(func(v *visit) { v.foreign = true }), 403},
		"from another origin": {
			good(func(v *visit) { v.foreign, v.headers = true, http.Header{"Origin": {"https://evil.test"}} }), 403,
		},
		"with an unknown action": {good(func(v *visit) { v.form.Set("action", "maybe") }), 400},
		"with a parameter twice": {good(func(v *visit) { v.form.Add("action", "deny") }), 400},
		"as text": {
			good(func(v *visit) { v.form, v.body, v.kind = nil, `{"user_code":""}`, "text/plain" }), 400,
		},
		"as JSON that is none": {
			good(func(v *visit) { v.form, v.body, v.kind = nil, `{"user_code":`, "application/json" }), 400,
		},
		"as JSON with more behind it": {
			good(func(v *visit) { v.form, v.body, v.kind = nil, `{} {}`, "application/json" }), 400,
		},
		"as JSON of another shape": {
			good(func(v *visit) { v.form, v.body, v.kind = nil, `{"user_code":1}`, "application/json" }), 400,
		},
		"about an unknown code": {good(func(v *visit) { v.form.Set("user_code", "BBBB-BBBB") }), 404},
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, w.do(tc.visit).json(tc.status)["error_description"])
		})
	}

	require.Zero(t, w.count(`SELECT count(*) FROM device_codes WHERE decision <> ''`))
	byOrigin := w.do(good(func(v *visit) { v.foreign, v.headers = true, http.Header{"Origin": {origin}} }))
	require.Equal(t, "approved", byOrigin.json(http.StatusOK)["status"],
		"our own Origin suffices where Sec-Fetch-Site is not sent")
}

// RFC 8628 3.3.
func TestAPersonWhoLeftTheTenantDecidesNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	csrf := w.csrf(code, session)
	w.exec(`DELETE FROM memberships WHERE user_id = $1`, ada)
	res := w.do(visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form:    url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {csrf}},
	})

	require.Equal(t, "login_required", res.json(http.StatusUnauthorized)["error"])
}

func TestThePagesLeadFromTheCodeToTheDecision(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		enter := w.do(visit{path: pagePath, page: true})
		require.Equal(t, http.StatusOK, enter.StatusCode)
		require.Contains(t, enter.body, `name="user_code"`)
		require.Contains(t, enter.body, `action="/device"`)

		unknown := w.do(visit{path: pagePath, page: true, query: url.Values{"user_code": {"<b>BBBB"}}})
		require.Equal(t, http.StatusNotFound, unknown.StatusCode)
		require.Contains(t, unknown.body, `aria-invalid="true"`)
		require.NotContains(t, unknown.body, "<b>BBBB")

		// Nobody is signed in: to the sign-in pages, bound to this browser.
		away := w.do(visit{path: pagePath, page: true, query: url.Values{"user_code": {strings.ToLower(code)}}})
		require.Equal(t, http.StatusSeeOther, away.StatusCode)
		flow, ok := strings.CutPrefix(away.Header.Get("Location"), "/auth/flows/")
		require.True(t, ok)
		browser := away.Cookies()[0].Value
		require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`), "nothing is stored for a look")
		sealedFlow := w.request(flow)
		require.Equal(t, grants.KindDevice, sealedFlow.Kind)
		require.Equal(t, code, sealedFlow.Device.UserCode)

		back := func(browser, session string) *reply {
			return w.do(visit{
				path:    pagePath,
				page:    true,
				browser: browser,
				session: session,
				query:   url.Values{"flow": {flow}},
			})
		}

		require.Equal(t, "/auth/flows/"+flow, back(browser, "").Header.Get("Location"), "not done there yet")
		sid, session := w.signIn()
		w.decide(flow, sid)
		require.Equal(t, http.StatusBadRequest, back("", session).StatusCode, "another browser")

		// Without the session that answered the browser cookie is worth nothing.
		_, other := w.signIn()
		for _, held := range []string{"", other} {
			require.Equal(t, "/auth/flows/"+sealedFlow.ID, back(browser, held).Header.Get("Location"))
		}

		require.Equal(t, "/device?user_code="+code, back(browser, session).Header.Get("Location"))
		require.Equal(t, "/device?user_code="+code,
			back(browser, session).Header.Get("Location"), "reloading is harmless")

		// The page names the application, what it asks for, and warns (RFC 8628 5.4).
		approve := w.do(visit{
			path:    pagePath,
			page:    true,
			session: session,
			query:   url.Values{"user_code": {code}},
		})

		require.Equal(t, http.StatusOK, approve.StatusCode)

		for _, text := range []string{
			"The tv", "Confirm who you are", "See your name", "ada@acme.test", "started this yourself",
			code, w.csrf(code, session),
		} {
			require.Contains(t, approve.body, text)
		}

		same := w.do(visit{
			path:    verifyPath,
			page:    true,
			session: session,
			query:   url.Values{"user_code": {code}},
		})

		require.Equal(t, approve.body, same.body, "a browser gets the page at the endpoint too")

		done := w.do(visit{
			method:  http.MethodPost,
			path:    verifyPath,
			page:    true,
			session: session,
			form: url.Values{
				"user_code": {code}, "action": {"approve"}, "csrf_token": {w.csrf(code, session)},
			},
		})

		require.Equal(t, http.StatusSeeOther, done.StatusCode)
		require.Equal(t, pagePath+"?user_code="+code, done.Header.Get("Location"))
	})
}

// RFC 9110 15.4.4: what follows a decision is an address of its own. It may be
// reloaded and gone back to, and a second press of the button decides nothing.
func TestADecisionMayBeReloaded(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for action, says := range map[string]string{"approve": "Device connected", "deny": "Device refused"} {
			w := newWorld(t, db)
			code := w.device()
			_, session := w.signIn()
			other := map[string]string{"approve": "deny", "deny": "approve"}[action]
			csrf := w.csrf(code, session)
			press := func(action string) *reply {
				return w.do(visit{
					method:  http.MethodPost,
					path:    verifyPath,
					page:    true,
					session: session,
					form: url.Values{
						"user_code": {code}, "action": {action}, "csrf_token": {csrf},
					},
				})
			}

			result := visit{
				path:    pagePath,
				page:    true,
				session: session,
				query:   url.Values{"user_code": {code}},
			}

			for range 20 { // more than anyone may guess wrongly
				done := press(action)
				require.Equal(t, http.StatusSeeOther, done.StatusCode, done.body)
				page := w.do(result)
				require.Equal(t, http.StatusOK, page.StatusCode)
				require.Contains(t, page.body, says)
			}

			require.Equal(t, http.StatusSeeOther, press(other).StatusCode)
			require.Contains(t, w.do(result).body, says, "the first decision counts")

			result.session = ""
			require.Equal(t, http.StatusNotFound, w.do(result).StatusCode, "another person learns nothing of it")
			_, result.session = w.signInAs(grace)
			page := w.do(result)
			require.Equal(t, http.StatusNotFound, page.StatusCode, "nor does another person")
			require.NotContains(t, page.body, says)
		}
	})
}

// RFC 8628 5.4: a decision counts for what the page showed, which is the person, the
// code and what its device asks for.
func TestADecisionCountsForWhatThePageShowed(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		_, session := w.signIn()
		decide := func(token string) *reply {
			return w.do(visit{
				method:  http.MethodPost,
				path:    verifyPath,
				page:    true,
				session: session,
				form: url.Values{
					"user_code": {code}, "action": {"approve"}, "csrf_token": {token},
				},
			})
		}

		token := w.csrf(code, session)
		for _, change := range []string{
			`UPDATE device_codes SET scope = 'openid' WHERE user_code = '` + code + `'`,
			`UPDATE device_codes SET resource = 'https://api.test' WHERE user_code = '` + code + `'`,
		} {
			w.exec(change)
			refused := decide(token)
			require.Equal(t, http.StatusSeeOther, refused.StatusCode)
			require.Equal(t, "/device?user_code="+code, refused.Header.Get("Location"), "the page, once more")
			require.Zero(t, w.count(`SELECT count(*) FROM device_codes WHERE decision <> ''`))
			token = w.csrf(code, session)
		}

		require.Less(t, decide(token).StatusCode, 400)
		require.Equal(t, 1, w.count(`SELECT count(*) FROM device_codes WHERE decision = 'approved'`))
	})
}

// RFC 8628 3.3, RFC 9110 15.4.4.
func TestAFormPostedAfterTheSessionEndedSignsInAgain(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	res := w.do(visit{
		method: http.MethodPost,
		path:   verifyPath,
		page:   true,
		form:   url.Values{"user_code": {w.device()}, "action": {"approve"}, "csrf_token": {"old"}},
	})

	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	require.True(t, strings.HasPrefix(res.Header.Get("Location"), "/auth/flows/fls_"))
}

// RFC 8628 3.3, RFC 6749 10.15.
func TestAFlowThatIsNoDevicesIsNoWayIn(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	away := w.do(visit{path: pagePath, page: true, query: url.Values{"user_code": {w.device()}}})
	flow, browser := strings.TrimPrefix(away.Header.Get("Location"), "/auth/flows/"), away.Cookies()[0].Value
	for name, v := range map[string]url.Values{
		"unknown": {"flow": {"flw_nothing"}},
		"a URL":   {"flow": {"https://evil.test"}},
		"1 KiB":   {"flow": {strings.Repeat("x", 1<<10)}},
		"twice":   {"flow": {flow, flow}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusBadRequest, w.do(visit{
				path:    pagePath,
				page:    true,
				browser: browser,
				query:   v,
			}).StatusCode)
		})
	}

	other := w.request(flow)
	other.Kind = grants.KindAuthorize
	flow, _, err := w.sealer().Seal(sealed.Pages, other)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, w.do(visit{
		path:    pagePath,
		page:    true,
		browser: browser,
		query:   url.Values{"flow": {flow}},
	}).StatusCode)
}

// RFC 9110 9.2.1.
func TestHeadChangesNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	for _, path := range []string{pagePath, verifyPath} {
		res := w.do(visit{
			method: http.MethodHead,
			path:   path,
			page:   true,
			query:  url.Values{"user_code": {code}},
		})

		require.Equal(t, http.StatusOK, res.StatusCode)
	}

	require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`))
}

// RFC 8628 3.3.
func TestOfFiftyDecisionsOneCounts(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		_, session := w.signIn()
		csrf := w.csrf(code, session)
		var (
			mu       sync.Mutex
			wg       sync.WaitGroup
			gate     = make(chan struct{})
			statuses = map[int]int{}
			won      string
		)
		for i := range 50 {
			action := []string{"approve", "deny"}[i%2]
			wg.Go(func() {
				<-gate
				res := w.do(visit{
					method:  http.MethodPost,
					path:    verifyPath,
					session: session,
					form:    url.Values{"user_code": {code}, "action": {action}, "csrf_token": {csrf}},
				})

				mu.Lock()
				defer mu.Unlock()

				if statuses[res.StatusCode]++; res.StatusCode == http.StatusOK {
					won = map[string]string{"approve": "approved", "deny": "denied"}[action]
				}
			})
		}

		close(gate)
		wg.Wait()
		require.Equal(t, 1, statuses[http.StatusOK])
		// Beyond the budget while the others are not judged yet.
		require.Equal(t, 49, statuses[http.StatusNotFound]+statuses[http.StatusTooManyRequests], statuses)
		require.Equal(t, 1, w.count(`SELECT count(*) FROM device_codes WHERE decision = $1`, won))
	})
}

func TestCodesLongExpiredAreRemoved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.device()
		w.clock.Advance(25 * time.Hour)
		w.device()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.service.Run(ctx) }()
		require.Eventually(t, func() bool { return w.count(`SELECT count(*) FROM device_codes`) == 1 },
			testkit.Patience, 20*time.Millisecond)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestTheServiceNeedsNoMoreThanItsOwnRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	address := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, address)
	w := newWorldAs(t, db, testkit.OpenPostgres(t, server.LoginURL(t, address, "platform_device")))
	require.NoError(t, w.service.Ready(t.Context()))
	res := w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		form:   url.Values{"client_id": {"web"}, "client_secret": {appSecret}},
	})
	code := res.json(http.StatusOK)["user_code"].(string)

	away := w.do(visit{path: pagePath, page: true, query: url.Values{"user_code": {code}}})
	flow, browser := strings.TrimPrefix(away.Header.Get("Location"), "/auth/flows/"), away.Cookies()[0].Value
	sid, session := w.signIn()
	w.decide(flow, sid)
	back := w.do(visit{
		path:    pagePath,
		page:    true,
		browser: browser,
		session: session,
		query:   url.Values{"flow": {flow}},
	})

	require.Equal(t, "/device?user_code="+code, back.Header.Get("Location"))

	done := w.do(visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form:    url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {w.csrf(code, session)}},
	})

	require.Equal(t, "approved", done.json(http.StatusOK)["status"])
	w.guess(10, here, session)
	w.look(code, here, session).blocked(1)
	require.Equal(t, 2, w.count(`SELECT count(*) FROM audit_events`), "the approval and the block")
}

// FuzzDecision sends bodies as an attacker would: no response is a server error.
func FuzzDecision(f *testing.F) {
	f.Add("application/json", `{"user_code":"BBBB-BBBB","action":"approve","csrf_token":"x"}`)
	f.Add("application/x-www-form-urlencoded", "user_code=BBBB-BBBB&action=deny&csrf_token=%00")
	f.Add("text/plain", "{}")
	w := newWorld(f, testkit.SQLite(f))
	_, session := w.signIn()
	f.Fuzz(func(t *testing.T, kind, body string) {
		w := &world{
			t:       t,
			db:      w.db,
			clock:   w.clock,
			service: w.service,
		}

		res := w.do(visit{
			method:  http.MethodPost,
			path:    verifyPath,
			session: session,
			body:    body,
			kind:    kind,
		})

		require.True(t, res.StatusCode >= 400 && res.StatusCode < 500, res.body)
	})
}
