package authorize_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// start begins a flow in a fresh browser, where a person has typed an address.
func (w *world) start(p url.Values) (flow, browser string) {
	w.t.Helper()
	res := w.do(visit{params: p})
	flow, browser = w.settle(res.toPages()), res.browserCookie()
	require.NotEmpty(w.t, browser)
	return flow, browser
}

// back returns with the session that decided the flow.
func (w *world) back(flow, browser string) *reply {
	w.t.Helper()
	return w.do(visit{params: url.Values{"flow": {flow}}, browser: browser, session: w.holds[flow]})
}

// follow opens the endpoint's own GET that a POST was answered with.
func (w *world) follow(res *reply, v visit) *reply {
	w.t.Helper()
	require.Equal(w.t, http.StatusSeeOther, res.StatusCode, res.body)
	query, ok := strings.CutPrefix(res.Header.Get("Location"), endpoint+"?")
	require.True(w.t, ok, res.Header.Get("Location"))
	v.raw = query
	return w.do(v)
}

// RFC 6749 4.1.2, RFC 9700 4.5.
func TestAFlowEndsInOneCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		flow, browser := w.start(webParams(nil))
		require.Equal(t, flow, w.back(flow, browser).toPages(), "undecided: back to the pages")

		w.clock.Advance(time.Minute)
		sid, _ := w.signIn(ada, nil)
		w.decide(flow, sid, grants.SignedIn)
		require.Equal(t, flow, w.back(flow, browser).toPages(), "signed in, but consent is open")

		w.decide(flow, sid, grants.Consented)
		q := w.back(flow, browser).toApplication(callback + "&")
		require.Equal(t, "st+a te&", q.Get("state"))
		got := w.code(q.Get("code"))
		require.Equal(t, []string{"web", callback, challenge, "openid profile", "n-1", ada, acme, sid},
			[]string{
				got.ClientID, got.RedirectURI, got.Challenge, got.Scope, got.Nonce, got.UserID,
				got.TenantID, got.SessionID,
			})
		require.False(t, got.Offline)

		w.back(flow, browser).over()
		require.Equal(t, 1, w.count(`SELECT count(*) FROM authorization_codes`))
	})
}

// RFC 9700 4.7: who starts a flow is who ends it.
func TestTheFlowsCookieBindsTheBrowser(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	res := w.do(visit{params: webParams(nil)})
	cookie := res.Cookies()[0]
	require.Equal(t, browserCookie, cookie.Name)
	require.True(t, cookie.Secure && cookie.HttpOnly && cookie.SameSite == http.SameSiteLaxMode && cookie.Path == "/")

	flow, browser := w.settle(res.toPages()), cookie.Value
	second := w.do(visit{params: webParams(nil), browser: browser})
	require.Empty(t, second.Cookies(), "two flows share the browser's cookie")
	sid, session := w.signIn(ada, nil)
	w.decide(flow, sid, grants.Consented)

	for name, v := range map[string]visit{
		"no cookie":                         {},
		"another browser":                   {browser: secret(t)},
		"another browser that is signed in": {browser: secret(t), session: session},
	} {
		t.Run(name, func(t *testing.T) {
			v.params = url.Values{"flow": {flow}}
			w.do(v).over()
			v.json = true
			require.Equal(t, "invalid_request", w.do(v).refusedHere(http.StatusBadRequest))
		})
	}

	require.NotEmpty(t, w.back(flow, browser).toApplication(callback).Get("code"),
		"the browser that started it still ends it")
	require.Equal(t, second.toPages(), w.back(second.toPages(), browser).toPages(), "the other flow goes on")
}

// RFC 9700 4.7: the browser cookie is older than the sign-in, so that it is not what
// ends a flow; the session that answered is.
func TestAFlowEndsForTheBrowserThatHoldsItsSession(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		flow, browser := w.start(webParams(nil))
		sid, session := w.signIn(ada, nil)
		_, another := w.signIn(ada, nil)
		w.decide(flow, sid, grants.Consented)

		for name, held := range map[string]string{
			"none":                          "",
			"unknown":                       secret(t),
			"another session of the person": another,
		} {
			res := w.do(visit{params: url.Values{"flow": {flow}}, browser: browser, session: held})
			require.Equal(t, flow, res.toPages(), name)
			require.Zero(t, w.count(`SELECT count(*) FROM authorization_codes`), name)
		}

		res := w.do(visit{params: url.Values{"flow": {flow}}, browser: browser, session: session})
		require.NotEmpty(t, res.toApplication(callback).Get("code"))
	})
}

// RFC 9700 4.11: what cannot be trusted any more leads nowhere.
func TestAFlowThatCannotGoOnIsAPageAndNoRedirect(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	flow, browser := w.start(webParams(nil))
	device, _ := w.start(webParams(nil))
	w.exec(`UPDATE authorization_requests SET kind = 'device' WHERE id = $1`, device)

	for name, id := range map[string]string{
		"an unknown flow":        "flw_nothing",
		"a flow of 1 KiB":        strings.Repeat("x", 1<<10),
		"a flow of device codes": device,
		"a URL":                  "https://evil.test",
	} {
		t.Run(name, func(t *testing.T) { w.back(id, browser).over() })
	}

	w.do(visit{raw: "flow=a&flow=b", browser: browser}).refusedHere(http.StatusBadRequest)
	sid, _ := w.signIn(ada, nil)
	w.decide(flow, sid, grants.Consented)
	w.clock.Advance(30 * time.Minute)
	w.back(flow, browser).over()
	require.Zero(t, w.count(`SELECT count(*) FROM authorization_codes`))
}

// RFC 6749 4.1.2.1: the redirect URI has to be the application's when it is used, not
// only when it was sent.
func TestAnApplicationDisabledMeanwhileGetsNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	flow, browser := w.start(webParams(nil))
	sid, _ := w.signIn(ada, nil)
	w.decide(flow, sid, grants.Consented)
	w.exec(`UPDATE applications SET redirect_uris = '["https://moved.test/"]' WHERE client_id = 'web'`)
	w.clock.Advance(10 * time.Second) // past the registry's cache
	w.back(flow, browser).refusedHere(http.StatusBadRequest)
}

func TestARefusalIsAccessDenied(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		flow, browser := w.start(webParams(nil))
		sid, _ := w.signIn(ada, nil)
		w.decide(flow, sid, grants.Denied)
		q := w.back(flow, browser).toApplication(callback)
		require.Equal(t, "access_denied", q.Get("error"), "RFC 6749 4.1.2.1")
		require.Equal(t, "st+a te&", q.Get("state"))
		w.back(flow, browser).over()
	})
}

// OpenID Connect Core 3.1.2.3.
func TestWhatTheEndOfAFlowChecksAgain(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.consent(ada, "web", "", "openid profile")

	for _, tc := range []struct {
		name     string
		change   url.Values
		session  func(*sessions.Session)
		decision grants.Decision
		hint     string
		spoil    string // SQL between decision and return
		want     string // "pages", an error, or empty for a code
	}{
		{name: "remembered consent suffices", decision: grants.SignedIn},
		{
			name:     "prompt=consent is met by a consent in this flow",
			change:   url.Values{"prompt": {"consent"}},
			decision: grants.Consented,
		},
		{
			name:     "prompt=consent is not met by memory",
			change:   url.Values{"prompt": {"consent"}},
			decision: grants.SignedIn,
			want:     "pages",
		},
		{
			name:     "prompt=login is met by a sign-in since the flow's start",
			change:   url.Values{"prompt": {"login"}},
			decision: grants.SignedIn,
		},
		{
			name:     "prompt=login is not met by an older one",
			change:   url.Values{"prompt": {"login"}},
			decision: grants.SignedIn,
			session:  func(s *sessions.Session) { s.AuthTime = s.AuthTime.Add(-time.Hour) },
			want:     "pages",
		},
		{
			name:     "max_age=0 is not met by an older one",
			change:   url.Values{"max_age": {"0"}},
			decision: grants.SignedIn,
			session:  func(s *sessions.Session) { s.AuthTime = s.AuthTime.Add(-time.Hour) },
			want:     "pages",
		},
		{
			name:     "select_account is met by any decision",
			change:   url.Values{"prompt": {"select_account"}},
			decision: grants.SignedIn,
		},
		{name: "a stronger acr was only a wish", change: url.Values{"acr_values": {"2"}}, decision: grants.SignedIn},
		{
			name:     "an ended session",
			decision: grants.SignedIn,
			session:  func(s *sessions.Session) { s.EndedAt = s.CreatedAt },
			want:     "pages",
		},
		{
			name:     "a session that is gone",
			decision: grants.SignedIn,
			spoil:    `DELETE FROM sessions WHERE id = $1`,
			want:     "pages",
		},
		{
			name:     "a session without a tenant",
			decision: grants.SignedIn,
			session:  func(s *sessions.Session) { s.TenantID = "" },
			want:     "pages",
		},
		{name: "the person of the hint", decision: grants.SignedIn, hint: ada},
		{
			name:     "another person than the one in the hint",
			decision: grants.Consented,
			hint:     bob,
			want:     "login_required",
		},
		{
			name:     "a person disabled meanwhile",
			decision: grants.Consented,
			spoil:    `UPDATE users SET disabled_at = updated_at WHERE id = (SELECT user_id FROM sessions WHERE id = $1)`,
			want:     "pages",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			flow, browser := w.start(webParams(tc.change))
			w.clock.Advance(time.Second)

			if tc.hint != "" {
				w.exec(`UPDATE authorization_requests SET hint_subject = $1 WHERE id = $2`, tc.hint, flow)
			}

			sid, _ := w.signIn(ada, tc.session)
			w.decide(flow, sid, tc.decision)

			if tc.spoil != "" {
				w.exec(tc.spoil, sid)
			}

			res := w.back(flow, browser)
			if tc.want == "pages" {
				require.Equal(t, flow, res.toPages())
				return
			}

			q := res.toApplication(callback)
			require.Equal(t, tc.want, q.Get("error"))
			require.Equal(t, tc.want == "", q.Get("code") != "")
		})
	}
}

// A cross-site POST carries no Lax cookie (RFC 6265bis 5.6.7.1).
func TestAPostIsAnsweredByItsOwnGet(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		posted := func(change url.Values) *reply {
			res := w.do(visit{method: http.MethodPost, params: webParams(change)})
			require.Empty(t, res.Cookies())
			require.NotContains(t, res.Header.Get("Location"), "acme.test", "nothing of the request is in the URL")
			return res
		}

		t.Run("a session answers there", func(t *testing.T) {
			w.consent(ada, "web", "", "openid profile")
			sid, session := w.signIn(ada, nil)
			res := posted(url.Values{"login_hint": {"usr_ada@acme.test"}})
			q := w.follow(res, visit{session: session}).toApplication(callback)
			require.Equal(t, sid, w.code(q.Get("code")).SessionID)
			require.Equal(t, "st+a te&", q.Get("state"))
			require.NotEmpty(t, w.follow(res, visit{session: session}).toApplication(callback).Get("code"),
				"it is worth what its parameters are")
		})

		t.Run("one that is too long for an address is answered once", func(t *testing.T) {
			_, session := w.signIn(ada, nil)
			res := w.do(visit{method: http.MethodPost, params: long(nil)})
			require.NotEmpty(t, w.follow(res, visit{session: session}).toApplication(callback).Get("code"))
			w.follow(res, visit{session: session}).over()
		})

		t.Run("the browser is bound there", func(t *testing.T) {
			res := posted(url.Values{"login_hint": {"ada@acme.test"}, "max_age": {"0"}, "response_mode": {"form_post"}})
			bound := w.follow(res, visit{})
			flow, browser := bound.toPages(), bound.browserCookie()
			require.NotContains(t, res.Header.Get("Location"), flow, "a flow of its own")
			r := w.request(flow)
			require.Equal(t, "ada@acme.test", r.LoginHint)
			require.Zero(t, *r.MaxAge)

			w.clock.Advance(time.Second)
			sid, _ := w.signIn(ada, nil)
			id := w.settle(flow)
			w.decide(id, sid, grants.Consented)
			page := w.back(id, browser)
			require.Equal(t, http.StatusOK, page.StatusCode)
			require.Contains(t, page.body, `name="code"`)
		})

		t.Run("prompt=none is answered there", func(t *testing.T) {
			q := w.follow(posted(url.Values{"prompt": {"none"}}), visit{}).toApplication(callback)
			require.Equal(t, "login_required", q.Get("error"))
		})
		t.Run("it waits five minutes", func(t *testing.T) {
			res := posted(nil)
			w.clock.Advance(5 * time.Minute)
			w.follow(res, visit{}).over()
		})
	})
}

// RFC 6749 4.1.2: a flow yields one code.
func TestOfFiftyWhoContinueAFlowOneGetsTheCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		flow, browser := w.start(webParams(nil))
		sid, _ := w.signIn(ada, nil)
		w.decide(flow, sid, grants.Consented)
		w.race(func() *reply { return w.back(flow, browser) })
		require.Equal(t, 1, w.count(`SELECT count(*) FROM authorization_codes`))
	})
}

// OpenID Connect Core 3.1.2.1: a posted request is one request.
func TestOfFiftyWhoFollowAPostOneGoesOn(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		res := w.do(visit{method: http.MethodPost, params: long(nil)})
		w.race(func() *reply { return w.follow(res, visit{}) })
	})
}

// race does the same in 50 goroutines at once, of which one gets on and the others
// hear that the flow is over.
func (w *world) race(try func() *reply) {
	w.t.Helper()
	var (
		wg   sync.WaitGroup
		gate = make(chan struct{})
		on   atomic.Int32
		over atomic.Int32
	)
	for range 50 {
		wg.Go(func() {
			<-gate
			res := try()
			switch {
			case res.StatusCode == http.StatusSeeOther &&
				strings.HasSuffix(res.Header.Get("Location"), "?problem=over"):
				over.Add(1)
			case res.StatusCode == http.StatusSeeOther:
				on.Add(1)
			}
		})
	}

	close(gate)
	wg.Wait()
	require.EqualValues(w.t, 1, on.Load())
	require.EqualValues(w.t, 49, over.Load())
}

// RFC 6749 4.1.2: a used code is kept for as long as a replay has something to revoke.
func TestExpiredRequestsAndCodesAreRemoved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, session := w.signIn(ada, nil)
		w.start(webParams(nil))
		w.do(visit{session: session, params: params("first", callback, nil)}).toApplication(callback)
		w.clock.Advance(66 * time.Minute) // half an hour to sign in, and as long again
		w.start(webParams(nil))

		w.runWithKeys()
		requests := func() int { return w.count(`SELECT count(*) FROM authorization_requests`) }
		require.Eventually(t, func() bool { return requests() == 1 }, testkit.Patience, 20*time.Millisecond)
		require.Equal(t, 1, w.count(`SELECT count(*) FROM authorization_codes`),
			"a used code is remembered for as long as its tokens may live")
	})
}

// RFC 6819 5.1.4.1: each service may do with the tables what it needs and no more.
func TestTheServiceNeedsNoMoreThanItsOwnRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	address := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, address)
	w := newWorldAs(t, db, testkit.OpenPostgres(t, server.LoginURL(t, address, "platform_authorize")))
	require.NoError(t, w.service.Ready(t.Context()))

	_, session := w.signIn(ada, nil)
	w.clock.Advance(time.Minute) // so that the session is touched
	w.do(visit{session: session, params: params("first", callback, nil)}).toApplication(callback)
	flow := w.follow(w.do(visit{method: http.MethodPost, params: webParams(nil)}), visit{session: session}).toPages()
	require.NotEmpty(t, flow)

	flow, browser := w.start(webParams(nil))
	sid, _ := w.signIn(ada, nil)
	w.decide(flow, sid, grants.Consented)
	require.NotEmpty(t, w.back(flow, browser).toApplication(callback).Get("code"))

	w.clock.Advance(66 * time.Minute)
	w.runWithKeys()
	require.Eventually(t, func() bool { return w.count(`SELECT count(*) FROM authorization_requests`) == 0 },
		testkit.Patience, 20*time.Millisecond)
}
