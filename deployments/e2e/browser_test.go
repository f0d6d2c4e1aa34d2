package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// plant gives a browser the cookies of another, as if a person had used a shared
// machine before.
func plant(t *testing.T, s *system, from []*http.Cookie, into *formbrowser.Browser) {
	t.Helper()
	origin, err := url.Parse(s.Origin)
	require.NoError(t, err)
	for _, c := range from {
		into.Client().Jar.SetCookies(origin, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
	}
}

// RFC 9700 4.7: a flow ends in the browser whose session answered it. An attacker who
// knew the browser's cookies before the sign-in gets no code.
func TestCookiesPlantedInASharedBrowserAreWorthNothingAfterASignIn(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "first", "https://second.test/callback", "openid")
		attacker := formbrowser.New(t, "https://")
		victim := formbrowser.New(t, "https://", s.url("/oauth/authorize"))
		plant(t, s,
			func() []*http.Cookie { attacker.Get(rp.begin(newAttempt())); return attacker.Cookies(s.Origin) }(), victim)

		lure := attacker.Get(rp.begin(newAttempt()))
		link := s.Origin + lure.URL.Path
		decided := victim.Get(link).Submit("Continue", url.Values{"email": {"ada@acme.test"}}).
			Submit("Sign in", url.Values{"password": {password}})
		end := decided.Location().String()
		require.Contains(t, end, "/oauth/authorize?flow=")

		for range 3 {
			stolen := attacker.Get(end)
			require.Empty(t, stolen.Header.Get("Location"), "no code for the one who planted the cookie")
			require.GreaterOrEqual(t, stolen.Status, 400)
		}

		require.GreaterOrEqual(t, attacker.Get(link).Status, 400)

		// A session of the attacker's own does not help either.
		own := attacker.Get(rp.begin(newAttempt())).Submit("Continue", url.Values{"email": {"grace@globex.test"}}).
			Submit("Sign in", url.Values{"password": {password}}).Submit("Globex", nil)
		require.NotEmpty(t, own.Location().Query().Get("code"))
		require.GreaterOrEqual(t, attacker.Get(end).Status, 400)

		ends := formbrowser.New(t, "https://")
		plant(t, s, victim.Cookies(s.Origin), ends)
		require.NotEmpty(t, ends.Get(end).Location().Query().Get("code"), "the person's own browser ends it")
	})
}

// RFC 6265 8.4: after a password change, the previous accounts cookie finds no account
// and signs no one out.
func TestTheAccountsCookieDiesWithAPasswordChange(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "first", "https://second.test/callback", "openid")
		victim := formbrowser.New(t, "https://")
		signIn(victim.Get(rp.begin(newAttempt())), "ada@acme.test")
		noted := victim.Cookies(s.Origin)

		const fresh = "quite another long password"
		changed := victim.Get(s.Origin+"/account/password").Submit("Change password", url.Values{
			"current_password": {password}, "new_password": {fresh}, "repeat_password": {fresh},
		})
		require.Equal(t, "Your account", changed.H1())

		attacker := formbrowser.New(t, "https://")
		plant(t, s, noted, attacker)
		page := attacker.Get(rp.begin(newAttempt(), oauth2.SetAuthURLParam("prompt", "select_account")))
		require.Equal(t, "Sign in", page.H1(), "no account to choose")
		require.NotContains(t, page.Text(), "ada@acme.test")

		require.Equal(t, "Your account", victim.Get(s.Origin+"/account").H1(), "the person stays signed in")
	})
}

// RFC 6749 10.2: a consent counts for the person that its page showed.
func TestAConsentPageGivesTheDataOfThePersonItShowed(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "web", webCallback, "openid", "profile", "email")
		browser := formbrowser.New(t, "https://")
		a := newAttempt()
		shown := browser.Get(rp.begin(a)).Submit("Continue", url.Values{"email": {"ada@acme.test"}}).
			Submit("Sign in", url.Values{"password": {password}})
		require.Contains(t, shown.Text(), "ada@acme.test")

		// Another tab: another person signs in in the same browser.
		other := newRelyingParty(t, s, "first", "https://second.test/callback", "openid")
		tab := browser.Get(other.begin(newAttempt(), oauth2.SetAuthURLParam("prompt", "login")))
		tab = tab.Submit("Continue", url.Values{"email": {"grace@globex.test"}}).Submit("Sign in",
			url.Values{"password": {password}})
		if tab.H1() == "Choose an organisation" {
			tab = tab.Submit("Globex", nil)
		}

		require.NotEmpty(t, tab.Location().Query().Get("code"))

		again := shown.Submit("Allow", nil)
		require.Equal(t, http.StatusOK, again.Status, "no code, but the page once more")
		require.Contains(t, again.Text(), "Signing in as ada@acme.test", "the flow asks for the person who answered it")

		consent := again.Submit("Sign in", url.Values{"password": {password}})
		require.Contains(t, consent.Text(), "ada@acme.test")
		answer := consent.Submit("Allow", nil).Location()
		tokens, _ := rp.redeem(t, a, rp.code(t, s, a, answer))
		require.NotEmpty(t, claimsOf(t, tokens.AccessToken)["tenant_id"])
	})
}

// OpenID Connect Core 3.1.2.1: an application that requests a new sign-in doesn't sign
// the person out of others.
func TestAStepUpKeepsWhatOtherApplicationsHold(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		browser := formbrowser.New(t, "https://")
		portal := newRelyingParty(t, s, "portal", portalCallback, "openid")
		a := newAttempt()
		held, before := portal.redeem(t, a, portal.code(t, s, a, signIn(browser.Get(portal.begin(a)), "ada@acme.test")))
		require.NotEmpty(t, held.RefreshToken)

		for _, ask := range []oauth2.AuthCodeOption{
			oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"),
		} {
			first := newRelyingParty(t, s, "first", "https://second.test/callback", "openid")
			a = newAttempt()
			_, after := first.redeem(t, a,
				first.code(t, s, a, signIn(browser.Get(first.begin(a, ask)), "ada@acme.test")))
			var was, is struct {
				Session  string `json:"sid"`
				AuthTime int64  `json:"auth_time"`
			}
			require.NoError(t, before.Claims(&was))
			require.NoError(t, after.Claims(&is))
			require.Equal(t, was.Session, is.Session)
			require.GreaterOrEqual(t, is.AuthTime, was.AuthTime)

			renewed, err := portal.TokenSource(t.Context(), &oauth2.Token{RefreshToken: held.RefreshToken}).Token()
			require.NoError(t, err, "the other application's grant goes on")
			held = renewed
		}

		var notices int
		require.NoError(t, s.database(t).Get(t.Context(), "test", &notices, `SELECT count(*) FROM logout_outbox`))
		require.Zero(t, notices, "no application is told of a logout")
	})
}
