package device_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

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
