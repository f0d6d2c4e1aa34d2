package session

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// both signs ada and then bob in in one browser.
func (w *world) both() (b *visitor, ada, bob *sessions.Session) {
	w.t.Helper()
	b, _ = w.atHome("ada@acme.test")
	ada = b.session()
	w.clock.Advance(time.Minute)
	id, page := b.flow(prompt(oauth.PromptSelectAccount))
	p := b.Get(page).Follow("Use another account").Submit("Continue", url.Values{"email": {"bob@acme.test"}})
	p = p.Submit("Sign in", url.Values{"password": {rightWords}})
	w.returns(p.Submit("Acme", nil), id)
	bob = b.session()
	require.Equal(w.t, "usr_bob", bob.UserID)
	require.False(w.t, w.ended(ada.ID), "another account keeps the first")
	w.clock.Advance(time.Minute)

	return b, ada, bob
}

func (b *visitor) accountsCookie() string {
	for _, c := range b.Cookies(origin) {
		if c.Name == "platform_accounts" {
			return c.Value
		}
	}
	return ""
}

// OpenID Connect Core 3.1.2.1, select_account.
func TestSeveralPeopleStaySignedInAndOneIsChosen(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, bob := w.both()
		bobsCookie := b.sessionCookie()
		id, page := b.flow(prompt(oauth.PromptSelectAccount))
		p := b.Get(page)
		require.Equal(t, "Choose an account", p.H1())

		for _, text := range []string{
			"bob@acme.test · signed in now", "Northwind", "ada@acme.test", "Use another account",
		} {
			require.Contains(t, p.Text(), text)
		}

		before := w.hasher.Work()
		w.returns(p.Submit("ada@acme.test", nil), id)
		require.Equal(t, before, w.hasher.Work(), "no password is asked for")
		require.Equal(t, ada.ID, b.session().ID)
		require.Equal(t, ada.ID, w.request(id).SessionID)
		require.NotEqual(t, bobsCookie, b.sessionCookie())
		require.False(t, w.ended(bob.ID))

		// And back: each choice has a cookie of its own, and the one before is worth
		// nothing from then on.
		adasCookie := b.sessionCookie()
		id, page = b.flow(prompt(oauth.PromptSelectAccount))
		w.returns(b.Get(page).Submit("bob@acme.test", nil), id)
		require.Equal(t, bob.ID, b.session().ID)
		require.NotEqual(t, bobsCookie, b.sessionCookie())
		_, err := w.sessions.ByCookie(t.Context(), cookie.Hash(bobsCookie))
		require.ErrorIs(t, err, sessions.ErrNotFound)
		require.NotEqual(t, adasCookie, b.sessionCookie())
	})
}

// OpenID Connect Core 3.1.2.1, select_account: among those who are signed in in this
// browser, and no others.
func TestWhomTheBrowserDoesNotHoldCannotBeChosen(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, _ := w.both()
		stranger, _ := w.atHome("ada@acme.test")
		id, page := b.flow(prompt(oauth.PromptSelectAccount))
		token := b.Get(page).Hidden("csrf_token")
		for _, sessionID := range []string{stranger.session().ID, "ses_unknown", "tnt_acme"} {
			require.Equal(t, "Choose an account",
				b.Post(page+"/tenant", url.Values{"csrf_token": {token}, "session": {sessionID}}).H1())
		}

		require.Equal(t, grants.Undecided, w.request(id).Decision)

		// Ended elsewhere meanwhile.
		other, _ := w.atHome("ada@acme.test")
		other.Get(accountURL).Submit("Sign out everywhere else", nil)
		require.True(t, w.ended(ada.ID))
		require.NotContains(t, b.Get(page).Text(), "ada@acme.test")
		require.Equal(t, "Choose an account",
			b.Post(page+"/tenant", url.Values{"csrf_token": {token}, "session": {ada.ID}}).H1())
	})
}

// RFC 6265 8.4: a cookie that an attacker noted before a sign-in is worth nothing after it.
func TestTheAccountsCookieIsRenewedSoThatNobodyLearnsWhoSignsInLater(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		planted := b.accountsCookie() // a neighbour noted the cookies of a shared machine
		_, browser := b.Cookies(origin), b.cookie
		b.Get(origin+"/api/v1/platform/oauth/logout").Submit("Sign out", nil)
		_, page := b.flow(nil)
		b.signIn(page, "bob@acme.test").Submit("Acme", nil)
		require.NotEqual(t, planted, b.accountsCookie())

		thief := w.newBrowser()
		u, err := url.Parse(origin)
		require.NoError(t, err)
		thief.cookie = browser
		thief.Client().Jar.SetCookies(u, []*http.Cookie{
			{Name: "platform_browser", Value: browser, Path: "/"},
			{Name: "platform_accounts", Value: planted, Path: "/"},
		})
		_, page = thief.flow(prompt(oauth.PromptSelectAccount))
		require.Equal(t, "Sign in", thief.Get(page).H1(), "no accounts to choose from")
	})
}

// OpenID Connect Core 3.1.2.1: select_account together with max_age.
func TestAChosenAccountWhoseSignInDoesNotDoIsAskedForItsPassword(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, _ := w.both()
		seconds := 90 // bob's sign-in is young enough, ada's is not
		id, page := b.flow(func(r *grants.Flow) {
			r.Prompt, r.MaxAge = oauth.Prompt{oauth.PromptSelectAccount}, &seconds
		})
		p := b.Get(page).Submit("ada@acme.test", nil)
		require.True(t, p.Has("password"), p.Text())
		require.Equal(t, "ada@acme.test", p.Hidden("username"))
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		require.Equal(t, "usr_ada", b.session().UserID)
		require.Equal(t, ada.ID, b.session().ID, "the same person's session goes on")
		require.False(t, w.ended(ada.ID))
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2: one person's logout is not another's.
func TestWhoIsSignedInBesideIsOfferedAfterOneHasLeft(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, bob := w.both()
		b.Get(origin+"/api/v1/platform/oauth/logout").Submit("Sign out", nil)
		require.True(t, w.ended(bob.ID))
		require.False(t, w.ended(ada.ID), "the cookie decides whose session ends")
		id, page := b.flow(prompt(oauth.PromptSelectAccount))
		p := b.Get(page)
		require.Equal(t, "Choose an account", p.H1())
		w.returns(p.Submit("ada@acme.test", nil), id)
		require.Equal(t, ada.ID, b.session().ID)

		w.clock.Advance(13 * time.Hour)
		_, page = b.flow(prompt(oauth.PromptSelectAccount))
		require.Equal(t, "Sign in", b.Get(page).H1(), "idle too long")
	})
}

// OpenID Connect Core 3.1.2.1, select_account: what one browser can fill is bounded.
func TestABrowserKeepsABoundedNumberOfPeople(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada := w.newBrowser(), ""
		for i, name := range []string{"ada", "p1", "p2", "p3", "p4", "p5"} {
			if i > 0 {
				w.person(name)
			}

			id, page := b.flow(nil)
			require.NoError(t, w.login(id, name+"@acme.test"))
			w.returns(b.Get(page).Submit("Sign in", url.Values{"password": {rightWords}}), id)

			if i == 0 {
				ada = b.session().ID
			}

			w.clock.Advance(time.Minute)
		}

		all, err := w.sessions.OfBrowser(t.Context(), cookie.Hash(b.accountsCookie()))
		require.NoError(t, err)
		require.Len(t, all, 5)
		require.True(t, w.ended(ada), "the one not used for longest has gone")
	})
}
