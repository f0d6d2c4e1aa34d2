package authorize_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// OpenID Connect Core 3.1.2.1, id_token_hint and login_hint, with ada and bob signed in
// in one browser, and bob the current one.
func TestAHintChoosesAmongThePeopleOfABrowser(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		sign := w.runWithKeys()
		accounts := secret(t)
		beside := func(s *sessions.Session) { s.Proof = oauth.HashSecret(accounts) }
		adas, _ := w.signIn(ada, beside)
		w.clock.Advance(time.Minute)
		bobs, current := w.signIn(bob, beside)
		w.signIn(ada, nil) // in another browser

		for _, person := range []string{ada, bob} {
			w.consent(person, "web", "", "openid profile")
		}

		subject := func(person string) url.Values {
			claims := map[string]any{"iss": issuer, "sub": person, "aud": "web", "exp": w.clock.Now().Unix()}
			return url.Values{"id_token_hint": {sign("JWT", claims)}}
		}
		address := func(text string) url.Values { return url.Values{"login_hint": {text}} }
		const pages = "pages"

		for name, tc := range map[string]struct {
			change   url.Values
			interact string // the session that answers, or pages
			silently string // the same with prompt=none, or an error
		}{
			"id_token_hint of the current person":  {subject(bob), bobs, bobs},
			"id_token_hint of another person here": {subject(ada), adas, adas},
			"id_token_hint of a person not here":   {subject("usr_eve"), pages, "login_required"},
			"login_hint of the current person":     {address(bob + "@acme.test"), bobs, bobs},
			"login_hint in another case":           {address(" USR_BOB@Acme.test "), bobs, bobs},
			"login_hint of another person here":    {address(ada + "@acme.test"), pages, adas},
			"login_hint of a person not here": {
				address("usr_eve@acme.test"), pages, "account_selection_required",
			},
			"login_hint that is not an address": {address("ada"), bobs, "account_selection_required"},
			"no hint":                           {nil, bobs, "account_selection_required"},
			"id_token_hint wins over the login_hint": {
				url.Values{"id_token_hint": subject(ada)["id_token_hint"], "login_hint": {bob + "@acme.test"}},
				adas, adas,
			},
		} {
			t.Run(name, func(t *testing.T) {
				res := w.do(visit{session: current, account: accounts, params: webParams(tc.change)})
				if tc.interact == pages {
					res.toPages()
				} else {
					require.Equal(t, tc.interact, w.code(res.toApplication(callback).Get("code")).SessionID)
				}

				change := url.Values{"prompt": {"none"}}
				for name, values := range tc.change {
					change[name] = values
				}

				q := w.do(visit{session: current, account: accounts, params: webParams(change)}).toApplication(callback)
				if code := q.Get("code"); code != "" {
					require.Equal(t, tc.silently, w.code(code).SessionID)
					return
				}

				require.Equal(t, tc.silently, q.Get("error"))
			})
		}

		t.Run("one other person is never returned for the one of a login_hint", func(t *testing.T) {
			_, alone := w.signIn(bob, nil)
			change := url.Values{"login_hint": {ada + "@acme.test"}}
			w.do(visit{session: alone, params: webParams(change)}).toPages()
			change["prompt"] = []string{"none"}
			q := w.do(visit{session: alone, params: webParams(change)}).toApplication(callback)
			require.Equal(t, "login_required", q.Get("error"))
		})

		t.Run("a session is proven by the accounts cookie of its browser", func(t *testing.T) {
			for _, stolen := range []string{"", secret(t)} {
				change := subject(ada)
				change["prompt"] = []string{"none"}
				q := w.do(visit{session: current, account: stolen, params: webParams(change)}).toApplication(callback)
				require.Equal(t, "login_required", q.Get("error"))
			}
		})

		t.Run("a session that has ended answers nothing", func(t *testing.T) {
			w.exec(`UPDATE sessions SET ended_at = $1 WHERE id = $2`, database.At(w.clock.Now()), adas)
			change := subject(ada)
			change["prompt"] = []string{"none"}
			q := w.do(visit{session: current, account: accounts, params: webParams(change)}).toApplication(callback)
			require.Equal(t, "login_required", q.Get("error"))
		})
	})
}

// RFC 6819 4.3.1, Fetch Metadata Request Headers: what pages of other sites make the
// browsers of their visitors ask for writes nothing.
func TestARequestThatIsNoNavigationWritesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		before := testkit.Rows(t, db)
		metadata := func(mode, dest string) http.Header {
			return http.Header{"Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}, "Sec-Fetch-Site": {"cross-site"}}
		}
		for range mostFlows {
			for _, headers := range []http.Header{
				metadata("no-cors", "image"), metadata("navigate", "iframe"), metadata("cors", "empty"),
			} {
				for _, p := range []url.Values{
					webParams(nil), long(nil), params("invented", callback, nil), {"flow": {"flw_x"}},
				} {
					res := w.do(visit{params: p, headers: headers})
					res.refusedHere(http.StatusForbidden)
					require.Empty(t, res.Cookies())
				}
				w.do(visit{
					method:  http.MethodPost,
					params:  webParams(nil),
					headers: headers,
				}).refusedHere(http.StatusForbidden)
			}
		}

		// A hidden frame that asks for no page hears at once that there is no session.
		silent := w.do(visit{
			params:  webParams(url.Values{"prompt": {"none"}}),
			headers: metadata("navigate", "iframe"),
		})
		require.Equal(t, "login_required", silent.toApplication(callback).Get("error"))
		require.Empty(t, silent.Cookies())
		w.do(visit{
			params:  params("invented", callback, url.Values{"prompt": {"none"}}),
			headers: metadata("navigate", "iframe"),
		}).
			refusedHere(http.StatusBadRequest)
		require.Equal(t, before, testkit.Rows(t, db))

		// Nor does a look at the sign-in page, which is one.
		for range 2 * mostFlows {
			w.do(visit{params: webParams(nil), headers: metadata("navigate", "document")}).toPages()
		}

		require.Equal(t, before, testkit.Rows(t, db))
	})
}

// RFC 9700 4.1.3: what the session service stored is asked of the registration again.
func TestARowThatAsksForMoreThanItsApplicationMayGetsNoCode(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	for name, spoil := range map[string]string{
		"another scope":     `UPDATE authorization_requests SET scope = 'openid admin' WHERE id = $1`,
		"no scope":          `UPDATE authorization_requests SET scope = '' WHERE id = $1`,
		"another resource":  `UPDATE authorization_requests SET resource = 'https://other.test' WHERE id = $1`,
		"another address":   `UPDATE authorization_requests SET redirect_uri = 'https://evil.test' WHERE id = $1`,
		"a public one's":    `UPDATE authorization_requests SET client_id = 'spa', redirect_uri = 'https://spa.test/cb', code_challenge = '' WHERE id = $1`,
		"without the grant": `UPDATE authorization_requests SET client_id = 'no-grant' WHERE id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			flow, browser := w.start(webParams(nil))
			sid, _ := w.signIn(ada, nil)
			w.decide(flow, sid, "consented")
			w.exec(spoil, flow)
			w.back(flow, browser).noCode()
		})
	}

	require.Zero(t, w.count(`SELECT count(*) FROM authorization_codes`))
}
