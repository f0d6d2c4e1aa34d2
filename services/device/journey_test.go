package device_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

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
