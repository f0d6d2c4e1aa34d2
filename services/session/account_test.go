package session

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const accountURL = origin + "/account"

// atHome signs a browser in by the account page itself.
func (w *world) atHome(email string) (*visitor, *formbrowser.Page) {
	w.t.Helper()
	b := w.newBrowser()
	p := b.signIn(accountURL, email)
	if p.H1() == "Choose an organisation" {
		p = p.Submit("Acme", nil)
	}

	require.Equal(w.t, "Your account", p.H1(), p.Text())
	return b, p
}

// OpenID Connect Core 3.1.2.3; RFC 9110 9.2.1: looking with HEAD changes nothing.
func TestTheAccountPageSignsInWithoutAnApplication(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		p := b.Get(accountURL)
		require.Equal(t, "Sign in", p.H1())
		require.Contains(t, p.Text(), "to continue to your account")
		require.True(t, strings.HasPrefix(p.URL.Path, "/auth/flows/fls_"), p.URL.Path)
		require.Zero(t, w.flows(), "nothing is stored for a look")
		flow := p.URL
		p = p.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
			url.Values{"password": {rightWords}})
		require.Equal(t, accountURL, p.URL.String())

		for _, text := range []string{
			"The ada", "ada@acme.test", "Acme Corp", "This device", "You are signed in nowhere else.",
			"You have not allowed any application.",
		} {
			require.Contains(t, p.Text(), text)
		}

		require.Equal(t, "no-store", p.Header.Get("Cache-Control"))
		require.Equal(t, accountURL, b.Get(flow.String()).URL.String(), "the back button leads to the same place")

		before := w.flows()
		res, err := (&http.Client{Transport: w}).Head(accountURL)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, before, w.flows(), "HEAD stores nothing")
	})
}

func (w *world) flows() (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.Get(w.t.Context(), "test", &n, `SELECT count(*) FROM authorization_requests`))
	return n
}

// RFC 9700 4.14.2: a sign-out ends the refresh tokens of its session. Only one's own
// sessions can be ended.
func TestDevicesAreListedAndSignedOut(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		w.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"
		phone, _ := w.atHome("ada@acme.test")
		w.insertGrant("gnt_phone", phone.session().ID, false)
		w.agent = "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0"
		w.clock.Advance(2 * time.Hour)
		laptop, p := w.atHome("ada@acme.test")
		stranger, _ := w.atHome("bob@acme.test")

		for _, text := range []string{
			"Firefox on Linux This device Signed in just now", "Safari on iPhone Signed in 2 hours ago",
			"Address 192.0.2.1", "Sign out everywhere else",
		} {
			require.Contains(t, p.Text(), text)
		}

		token := p.Hidden("csrf_token")

		for name, values := range map[string]url.Values{
			"another person's session": {"csrf_token": {token}, "session": {stranger.session().ID}},
			"an unknown session":       {"csrf_token": {token}, "session": {"ses_unknown"}},
		} {
			laptop.Post(accountURL+"/sessions", values)
			require.False(t, w.ended(stranger.session().ID), name)
		}

		p = p.Submit("Sign out: Safari on iPhone", nil)
		require.Contains(t, p.Text(), "That device is signed out.")
		require.NotContains(t, p.Text(), "iPhone")
		require.True(t, w.ended(phone.session().ID))
		require.True(t, w.revoked("gnt_phone"))
		require.Equal(t, "Sign in", phone.Get(accountURL).H1(), "the old cookie is worth nothing")
		events := w.trail(audit.SessionEnded)
		require.Len(t, events, 1)
		require.Equal(t, phone.session().ID, events[0].SessionID)
		require.Equal(t, laptop.session().ID, events[0].Detail["from"])
		require.Equal(t, audit.ByPerson, events[0].Detail["by"])

		p = laptop.Get(accountURL).Submit("Sign out: Firefox on Linux", nil)
		require.Equal(t, "You are signed out", p.H1())
		require.Nil(t, laptop.session())
		require.False(t, w.ended(stranger.session().ID))
	})
}

// RFC 9700 4.14.2.
func TestSigningOutEverywhereElseKeepsThisBrowser(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		one, _ := w.atHome("ada@acme.test")
		two, _ := w.atHome("ada@acme.test")
		here, p := w.atHome("ada@acme.test")
		require.Contains(t, p.Text(), "This also ends the access of applications that you use there.")
		own, grants := w.holdings(here, one)
		code, device, flow := w.uncollected(one, "BCDFGHJK", "usr_ada", "other")

		p = here.Get(accountURL)
		require.Contains(t, p.Text(), "ends the access that these applications and devices keep while you are away: Billing")
		p = p.Submit("Sign out everywhere else", nil)
		require.Contains(t, p.Text(), "You are signed out everywhere else.")
		require.Contains(t, p.Text(), "The access that applications and devices had there has ended.")
		require.True(t, w.ended(one.session().ID))
		require.True(t, w.ended(two.session().ID))
		require.False(t, w.ended(here.session().ID))

		for _, id := range grants {
			require.Equal(t, id != own, w.revoked(id), id)
		}

		ofCode, ofDevice := w.redeem(one, "BCDFGHJK", "usr_ada", "other", code, device)
		require.Error(t, ofCode)
		require.Error(t, ofDevice)
		require.Equal(t, "Sign in", one.Get(origin+"/auth/flows/"+flow).H1(), "an answer of before is worth nothing")

		events := w.trail(audit.SessionEnded)
		require.Len(t, events, 2)
		for _, e := range events {
			require.Equal(t, map[string]string{
				"by": audit.ByPerson, "why": "account_page", "from": here.session().ID,
			}, e.Detail)
		}
	})
}

// holdings gives an application grants of ada's: an online one of the session here, which
// it returns, and those that end when she signs out everywhere else.
func (w *world) holdings(here, elsewhere *visitor) (own string, all []string) {
	w.t.Helper()
	for id, of := range map[string]struct {
		session string
		offline bool
	}{
		"gnt_own":     {here.session().ID, false},
		"gnt_offline": {here.session().ID, true},
		"gnt_other":   {elsewhere.session().ID, false},
		"gnt_device":  {"", true},
	} {
		_, err := w.db.Exec(w.t.Context(), "test.grant",
			`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
			VALUES ($1, 'billing', $2, $3, $4, 'openid', $5, $6, $7)`, id, here.session().UserID,
			here.session().TenantID, of.session, of.offline,
			database.At(started), database.At(started.Add(time.Hour)))
		require.NoError(w.t, err)
		all = append(all, id)
	}
	return "gnt_own", all
}

// RFC 6749 10.4 and OpenID Connect Core 11: refresh tokens, offline ones too, end with
// the consent they were given for.
func TestWithdrawingEndsAllAccessOfAnApplication(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		w.returns(b.signIn(page, "ada@acme.test").Submit("Allow", nil), id)
		w.insertGrant("gnt_online", b.session().ID, false)
		w.insertGrant("gnt_offline", b.session().ID, true)
		w.insertGrant("gnt_elsewhere", "ses_gone", false)

		for _, grant := range []string{"gnt_online", "gnt_offline"} {
			_, err := w.db.Exec(t.Context(), "test",
				`UPDATE grants SET client_id = 'other', scope = 'openid phone' WHERE id = $1`, grant)
			require.NoError(t, err)
		}

		p := b.Get(accountURL)
		for _, text := range []string{
			"Other", "See your email address", "See your phone number", "Keeps its access while you are signed out",
		} {
			require.Contains(t, p.Text(), text)
		}

		require.NotContains(t, p.Text(), "Billing", "an online grant of a session that is gone gives nothing")

		stranger, _ := w.atHome("bob@acme.test")
		stranger.Post(accountURL+"/applications",
			url.Values{
				"csrf_token":  {stranger.Get(accountURL).Hidden("csrf_token")},
				"application": {"other tnt_acme"},
			})
		require.False(t, w.revoked("gnt_offline"), "only one's own")

		p = p.Submit("Withdraw: access of Other", nil)
		require.Contains(t, p.Text(), "The application’s access has ended.")
		require.Contains(t, p.Text(), "You have not allowed any application.")
		require.Empty(t, w.consented("other"))
		require.True(t, w.revoked("gnt_online"))
		require.True(t, w.revoked("gnt_offline"))
		require.False(t, w.revoked("gnt_elsewhere"))
		events := w.trail(audit.ConsentWithdrawn)
		require.Len(t, events, 1)
		require.Equal(t, "other", events[0].ClientID)
		require.Equal(t, "usr_ada", events[0].UserID)

		_, page = b.flow(client("other"))
		require.Equal(t, "Allow Other to use your account?", b.Get(page).H1(), "it has to ask again")
	})
}

// NIST SP 800-63B 5.1.1.2, and RFC 9700 4.14.2: a changed password can end the other
// sessions.
func TestThePasswordIsChangedOnlyByWhoKnowsIt(t *testing.T) {
	const fresh = "eight fresh words"
	onEachDatabase(t, func(t *testing.T, w *world) {
		other, _ := w.atHome("ada@acme.test")
		b, p := w.atHome("ada@acme.test")
		p = p.Follow("Change password")
		change := func(current, one, two string) *formbrowser.Page {
			return b.Get(accountURL+"/password").Submit("Change password", url.Values{
				"current_password": {current}, "new_password": {one}, "repeat_password": {two},
			})
		}

		before := w.hasher.Work()

		for words, values := range map[string][3]string{
			"needs at least 8 characters":    {rightWords, "7 chars", "7 chars"},
			"is longer than 1,024 bytes":     {rightWords, strings.Repeat("x", 1025), strings.Repeat("x", 1025)},
			"must not be your email address": {rightWords, "Ada@Acme.test", "Ada@Acme.test"},
			"are not the same":               {rightWords, fresh, fresh + "!"},
		} {
			refused := change(values[0], values[1], values[2])
			require.Equal(t, http.StatusUnprocessableEntity, refused.Status, words)
			require.Contains(t, refused.Text(), words)
			for _, value := range values {
				require.NotContains(t, refused.Body, `value="`+value, "nothing typed comes back")
			}
		}

		require.Equal(t, before, w.hasher.Work(), "nothing is hashed for a password that will not do")
		require.Contains(t, change("wrong", fresh, fresh).Text(), "The current password is not right.")

		own, _ := w.holdings(b, other)

		old := b.sessionCookie()
		p = p.Submit("Change password", url.Values{
			"current_password": {rightWords},
			"new_password":     {fresh},
			"repeat_password":  {fresh},
			"sign_out_others":  {"yes"},
		})

		require.Contains(t, p.Text(), "Your password is changed.")
		require.True(t, w.ended(other.session().ID))
		require.False(t, w.ended(b.session().ID))
		var alive []string
		require.NoError(t,
			w.db.Select(t.Context(), "test.grants", &alive, `SELECT id FROM grants WHERE revoked_at IS NULL`))
		require.Equal(t, []string{own}, alive,
			"everywhere else is where applications and devices hold access, too")
		require.NotEqual(t, old, b.sessionCookie(), "the cookie is new")
		_, err := w.sessions.ByCookie(t.Context(), cookie.Hash(old))
		require.ErrorIs(t, err, sessions.ErrNotFound, "the old one is worth nothing")
		require.Len(t, w.trail(audit.PasswordChanged), 1)

		again := w.newBrowser()
		require.Contains(t, again.signIn(accountURL, "ada@acme.test").Text(), "not right")
		p = again.Get(accountURL).Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
			url.Values{"password": {fresh}})
		require.Equal(t, "Your account", p.H1())
	})
}

// RFC 6749 10.10.
func TestTheCurrentPasswordCannotBeGuessedFromAnOpenSession(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		guess := func(current string) *formbrowser.Page {
			return b.Get(accountURL+"/password").Submit("Change password", url.Values{
				"current_password": {current}, "new_password": {"eight fresh words"},
				"repeat_password": {"eight fresh words"},
			})
		}
		for range 10 {
			require.Equal(t, http.StatusUnprocessableEntity, guess("wrong").Status)
		}

		before := w.hasher.Work()
		require.Equal(t, http.StatusTooManyRequests, guess(rightWords).Status)
		require.Equal(t, before, w.hasher.Work())
	})
}

// RFC 6749 10.12: only forms from our own page are accepted.
func TestFormsOfTheAccountPageBelongToBrowserAndSession(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, p := w.atHome("ada@acme.test")
		other, _ := w.atHome("ada@acme.test")
		token := p.Hidden("csrf_token")
		for name, sent := range map[string]url.Values{
			"none":              {},
			"nonsense":          {"csrf_token": {"x"}},
			"another browser's": {"csrf_token": {other.Get(accountURL).Hidden("csrf_token")}},
			"a flow's": {"csrf_token": {cookie.CSRFToken(b.browserCookie(),
				cookie.Purpose("email", "req_1"))}},
			"doubled": {"csrf_token": {token, token}},
		} {
			for path, field := range map[string]string{
				"/sessions":     "session",
				"/applications": "application",
				"/password":     "current_password",
			} {
				sent.Set(field, "others")
				refused := b.Post(accountURL+path, sent)
				require.Equal(t, http.StatusOK, refused.Status, name+path)
				require.Contains(t, []string{"Your account", "Change your password"},
					refused.H1(), "the page, once more")
			}
		}

		require.NotEmpty(t, w.trail(audit.FormRefused))
		require.False(t, w.ended(other.session().ID))

		// Signed in anew meanwhile: the form of before is out of date, and nobody's
		// form leads to the sign-in.
		w.clock.Advance(time.Minute)
		_, page := b.flow(prompt("login"))
		b.signIn(page, "ada@acme.test")
		b.Post(accountURL+"/sessions", url.Values{"csrf_token": {token}, "session": {"others"}})
		require.False(t, w.ended(other.session().ID))
		require.Equal(t, "Sign in", w.newBrowser().Post(accountURL+"/sessions", url.Values{"csrf_token": {token}}).H1())
	})
}

// OpenID Connect Core 3.1.2.3, by a tenant's own page: it has the tenant's name and
// colour; the address's domain decides which page comes next, membership where it ends.
func TestATenantsEntranceLeadsIntoThatTenant(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			north := directory.Tenant{
				ID:     "tnt_north",
				Slug:   "north",
				Name:   "Northwind",
				Color:  "#7a1fa2",
				Active: true,
			}

			require.NoError(t, o.SaveTenant(ctx, north, nil, started))
		})

		b := w.newBrowser()
		before := w.flows()
		p := b.Get(origin + "/auth/tenants/north")
		require.Equal(t, "Sign in to Northwind", p.H1())
		require.Equal(t, before, w.flows(), "looking stores nothing")
		theme := b.Get(origin + "/auth/tenants/north/theme.css")
		require.Equal(t, "text/css; charset=utf-8", theme.Header.Get("Content-Type"))
		require.Contains(t, theme.Body, "--accent: #7a1fa2;")
		require.Contains(t, p.Body, `href="/auth/tenants/north/theme.css?7a1fa2"`)
		require.NotContains(t, b.Get(origin+"/auth/tenants/acme").Body, "theme.css", "no colour, no stylesheet")

		require.Equal(t, http.StatusUnprocessableEntity, p.Submit("Continue", url.Values{"email": {"x"}}).Status)
		require.Equal(t, "Sign in to Northwind",
			b.Post(origin+"/auth/tenants/north", url.Values{"email": {"bob@elsewhere.test"}}).H1(),
			"without its token a form only shows the page again")
		p = p.Submit("Continue", url.Values{"email": {"bob@acme.test"}})
		require.Equal(t, "Sign in to Acme Corp", p.H1(), "the address's domain decides which page")
		p = p.Submit("Sign in", url.Values{"password": {rightWords}})
		require.Equal(t, accountURL, p.URL.String())
		require.Equal(t, "tnt_north", b.session().TenantID, "membership decides after: no choice is asked for")

		w.clock.Advance(time.Minute)
		p = b.Get(origin+"/auth/tenants/acme").Submit("Continue", url.Values{"email": {"bob@acme.test"}})
		require.Equal(t, "Choose an account", p.H1(), "signed in to another of one's tenants")
		p = p.Submit("Acme", nil)
		require.Equal(t, accountURL, p.URL.String())
		require.Equal(t, "tnt_acme", b.session().TenantID)

		for _, path := range []string{
			"/auth/tenants/unknown", "/auth/tenants/unknown/theme.css", "/auth/tenants/no%2Frth",
		} {
			require.Equal(t, http.StatusNotFound, b.Get(origin+path).Status, path)
		}
	})
}

// RFC 6749 10.10.
func TestAnEntranceShowsEverybodyTheSame(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		shown := map[string]string{}
		for _, name := range []string{"ada", "unknown"} {
			b := w.newBrowser()
			p := b.Get(origin+"/auth/tenants/north").Submit("Continue", url.Values{"email": {name + "@elsewhere.test"}})
			require.Equal(t, "Sign in to Northwind", p.H1())
			shown[name] = strings.NewReplacer(name, "NAME", p.URL.Path, "FLOW",
				p.Hidden("csrf_token"), "CSRF").Replace(p.Body)
		}

		require.Equal(t, shown["ada"], shown["unknown"])
	})
}

// OpenID Connect Core 3.1.2.1, ui_locales; RFC 9110 12.5.4, Accept-Language.
func TestPagesSpeakTheLanguageThatUILocalesOrTheBrowserAsksFor(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		for locales, want := range map[string]string{
			"":          "Sign in",
			"de":        "Anmelden",
			"de-CH en":  "Anmelden",
			"xx":        "Sign in",
			"nonsense!": "Sign in",
		} {
			_, page := b.flow(func(r *grants.Flow) { r.UILocales = locales })
			p := b.Get(page)
			require.Equal(t, want, p.H1(), locales)
			require.Contains(t, p.Header.Values("Vary"), "Accept-Language")
		}

		require.Equal(t, "Anmelden", b.Get(accountURL+"?ui_locales=de").H1())
	})
}
