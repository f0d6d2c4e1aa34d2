package session

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
)

// noted are the cookies of a browser that an attacker wrote down.
func (b *visitor) noted() map[string]string {
	values := map[string]string{}
	for _, c := range b.Cookies(origin) {
		values[c.Name] = c.Value
	}
	return values
}

// thief is a browser with cookies that were noted.
func (w *world) thief(cookies map[string]string) *visitor {
	w.t.Helper()
	b := w.newBrowser()
	u, err := url.Parse(origin)
	require.NoError(w.t, err)
	for name, value := range cookies {
		b.Client().Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
	}
	return b
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.Get(w.t.Context(), "test.count", &n, query, args...))
	return n
}

// RFC 6265 8.4: no cookie of before an authentication is worth anything after it,
// whichever kind of renewal it was.
func TestEveryRenewalRenewsAllCookies(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		renewals := []struct {
			name string
			do   func()
		}{
			{"sign-in", func() { b.signIn(page, "ada@acme.test") }},
			{"step-up", func() { _, page := b.flow(prompt(oauth.PromptLogin)); b.signIn(page, "ada@acme.test") }},
			{"another person", func() {
				_, page := b.flow(prompt(oauth.PromptSelectAccount))
				b.Get(page).Follow("Use another account").Submit("Continue", url.Values{"email": {"bob@acme.test"}}).
					Submit("Sign in", url.Values{"password": {rightWords}}).Submit("Acme", nil)
			}},
			{
				"pick",
				func() {
					_, page := b.flow(prompt(oauth.PromptSelectAccount))
					b.Get(page).Submit("ada@acme.test",
						nil)
				},
			},
			{"password change", func() {
				b.Get(accountURL+"/password").Submit("Change password", url.Values{
					"current_password": {rightWords}, "new_password": {"a new long password"},
					"repeat_password": {"a new long password"},
				})
			}},
			{"sign-out", func() { b.Get(logoutURL).Submit("Sign out", nil) }},
		}
		for _, r := range renewals {
			w.clock.Advance(time.Minute)
			waiting, waitingPage := b.flow(client("other"))
			before := b.noted()
			r.do()
			after := b.noted()
			for _, name := range []string{"platform_browser", "platform_session", "platform_accounts"} {
				require.NotEqual(t, before[name], after[name], r.name+": "+name)
				require.True(t, before[name] == "" || after[name] != before[name], r.name)
			}

			all, err := w.sessions.OfBrowser(t.Context(), cookie.Hash(before["platform_accounts"]))
			require.NoError(t, err)
			require.Empty(t, all, r.name)
			thief := w.thief(before)
			require.Equal(t, "This sign-in belongs to another browser", thief.Get(waitingPage).H1(), r.name)
			require.NotEqual(t, "Your account", thief.Get(accountURL).H1(), r.name)
			_, page := thief.flow(prompt(oauth.PromptSelectAccount))
			require.Equal(t, "Sign in", thief.Get(page).H1(), r.name+": no one to choose")

			// The browser's own waiting flow goes on (two tabs).
			require.Less(t, b.Get(waitingPage).Status, 400, r.name)
			require.Equal(t, cookie.Hash(after["platform_browser"]), w.request(waiting).BrowserHash)
		}

		require.NotEmpty(t, w.trail(audit.SessionPicked))
	})
}

// RFC 9700 4.7: a flow that was decided before a sign-in stays with the cookie of
// then.
func TestADecidedFlowDoesNotGoAlong(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		decided, page := b.flow(nil)
		w.returns(b.Get(page), decided)
		hash := w.request(decided).BrowserHash

		w.clock.Advance(time.Minute)
		_, page = b.flow(prompt(oauth.PromptLogin))
		b.signIn(page, "ada@acme.test")
		require.Equal(t, hash, w.request(decided).BrowserHash)
	})
}

// RFC 6749 10.2, 10.12: consent counts for the person, tenant and scopes that the
// page showed.
func TestAnAnswerCountsForWhatThePageShowed(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		b.signIn(page, "ada@acme.test")
		shown := b.Get(page)
		require.Contains(t, shown.Text(), "ada@acme.test")

		ofFlow := ` WHERE session_id = $1 OR id = '` + id + `'`
		for _, c := range [][2]string{
			{"person", `UPDATE sessions SET user_id = 'usr_bob' WHERE id = $1`},
			{"scopes", `UPDATE authorization_requests SET scope = 'openid email phone'` + ofFlow},
			{"resource", `UPDATE authorization_requests SET resource = 'https://api.test'` + ofFlow},
			{"tenant", `UPDATE sessions SET tenant_id = 'tnt_north' WHERE id = $1`},
		} {
			name, change := c[0], c[1]
			require.NoError(t, w.login(id, ""))
			token := b.token(page)
			_, err := w.db.Exec(t.Context(), "test", change, b.session().ID)
			require.NoError(t, err)
			again := b.Post(page+"/consent", url.Values{"csrf_token": {token}, "action": {"allow"}})
			require.Equal(t, "Allow Other to use your account?", again.H1(), name)
			require.Equal(t, grants.Undecided, w.request(id).Decision, name)
			require.Empty(t, w.consented("other"), name)
		}
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2: the page names one person, and signs out
// nobody else.
func TestALogoutCountsForThePersonItNamed(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _, bob := w.both()
		token := b.token(logoutURL)
		_, err := w.db.Exec(t.Context(), "test", `UPDATE sessions SET user_id = 'usr_upstream' WHERE id = $1`, bob.ID)
		require.NoError(t, err)
		p := b.Post(logoutURL, url.Values{"csrf_token": {token}})
		require.Contains(t, p.Text(), "upstream@acme.test", "the page, once more")
		require.False(t, w.ended(bob.ID))
	})
}

// A password is checked for the address that its page showed.
func TestAPasswordCountsForTheAddressThePageShowed(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)
		p := b.Get(page).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		require.NoError(t, w.login(id, "bob@acme.test"))
		before := w.hasher.Work()
		p = p.Submit("Sign in", url.Values{"password": {rightWords}})
		require.Equal(t, "bob@acme.test", p.Hidden("username"))
		require.Equal(t, before, w.hasher.Work())
	})
}

// OpenID Connect Core 3.1.2.1: tabs that authenticate at once. Of the browser's
// cookies one set wins, and the session is one and the same.
func TestTabsThatReauthenticateAtOnceLeaveOneSession(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		first := b.session()
		w.insertGrant("gnt_online", first.ID, false)
		w.clock.Advance(time.Minute)
		const tabs = 10 // as many as may be underway before one of them is judged
		ids, pages, tokens := make([]string, tabs), make([]string, tabs), make([]string, tabs)
		for i := range tabs {
			ids[i], pages[i] = b.flow(prompt(oauth.PromptLogin))
			require.NoError(t, w.login(ids[i], "ada@acme.test"))
			tokens[i] = b.token(pages[i])
		}

		cookies := b.Cookies(origin)
		answers := make([]*http.Response, tabs)
		var wg sync.WaitGroup
		for i := range tabs {
			wg.Go(func() {
				body := url.Values{"csrf_token": {tokens[i]}, "password": {rightWords}}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, pages[i]+"/password",
					strings.NewReader(body.Encode()))
				if err != nil {
					return
				}

				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")

				for _, c := range cookies {
					r.AddCookie(c)
				}

				answers[i], _ = w.RoundTrip(r)
			})
		}

		wg.Wait()

		won := 0
		u, err := url.Parse(origin)
		require.NoError(t, err)

		for i, res := range answers {
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
			require.Equal(t, "/auth/flows/"+ids[i], res.Header.Get("Location"))
			if len(res.Cookies()) > 0 {
				won++
				b.Client().Jar.SetCookies(u, res.Cookies())
			}
		}

		require.Equal(t, 1, won)
		require.Equal(t, first.ID, b.session().ID)
		require.Equal(t, w.clock.Now(), b.session().AuthTime)
		require.False(t, w.revoked("gnt_online"))
		require.Equal(t, 1, w.count(`SELECT count(*) FROM sessions WHERE user_id = 'usr_ada' AND ended_at IS NULL`))

		for i := range tabs {
			w.returns(b.Get(pages[i]), ids[i])
		}
	})
}

// A form that is sent twice has the same answer, also when the first one came
// through before: whichever answer the browser keeps signs it in.
func TestASecondClickOnSignInStaysSignedIn(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)
		require.NoError(t, w.login(id, "ada@acme.test"))
		token := b.token(page)
		before := b.noted()
		b.Post(page+"/password", url.Values{"csrf_token": {token}, "password": {rightWords}})
		s := b.session()

		again := w.thief(before) // the answer was lost on the way
		require.Equal(t, "This sign-in belongs to another browser",
			again.Post(page+"/password", url.Values{"csrf_token": {token}, "password": {"wrong"}}).H1(),
			"the password is what counts")
		w.returns(again.Post(page+"/password", url.Values{"csrf_token": {token}, "password": {rightWords}}), id)
		require.Equal(t, s.ID, again.session().ID)
		require.Equal(t, b.noted()["platform_browser"], again.noted()["platform_browser"])

		require.True(t, s.Usable(w.clock.Now(), time.Hour))
		var none *sessions.Session
		require.Equal(t, none, w.thief(before).session())
	})
}
