package session

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var steps = []string{"/email", "/password", "/tenant", "/consent"}

// RFC 6749 10.12, OpenID Connect Core 3.1.2.3: the sign-in pages defend themselves
// against cross-site posting, and before a password is hashed.
func TestFormsWithoutTheRightTokenAreRefusedBeforeAnyWork(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, stranger := w.newBrowser(), w.newBrowser()
		id, page := b.flow(nil)
		_, otherPage := b.flow(nil)
		b.Get(page).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		before := w.hasher.Work()

		for name, token := range map[string]string{
			"none":           "",
			"nonsense":       "x",
			"another flow's": b.token(otherPage),
			"another browser's": cookie.CSRFToken(stranger.cookie,
				cookie.Purpose("password", id, "ada@acme.test", "tnt_acme")),
		} {
			for _, step := range steps {
				p := b.Post(page+step,
					url.Values{"csrf_token": {token}, "password": {rightWords}, "email": {"bob@acme.test"}})
				require.Equal(t, http.StatusOK, p.Status, name+step)
				require.Equal(t, "Sign in to Acme Corp", p.H1(), "the page that is due, once more")
			}
		}

		p := b.Post(page+"/password", url.Values{"csrf_token": {b.token(page)}, "password": {"a", "b"}})
		require.Equal(t, "Sign in to Acme Corp", p.H1(), "a doubled field")
		require.Equal(t, before, w.hasher.Work())
		require.Equal(t, "ada@acme.test", w.request(id).LoginEmail)
	})
}

// RFC 9700 4.7.
func TestAFlowBelongsToTheBrowserThatStartedIt(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, thief := w.newBrowser(), w.newBrowser()
		id, page := b.flow(nil)
		for _, p := range []*http.Client{thief.Client(), {Transport: w}} {
			res, err := p.Get(page)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusForbidden, res.StatusCode)
		}

		for _, step := range steps {
			p := thief.Post(page+step,
				url.Values{"csrf_token": {cookie.CSRFToken(thief.cookie, id)}, "email": {"eve@acme.test"}})
			require.Equal(t, http.StatusForbidden, p.Status)
			require.Equal(t, "This sign-in belongs to another browser", p.H1())
		}

		require.Empty(t, w.request(id).LoginEmail)
	})
}

// RFC 6749 4.1.2.1: unknown, complete or expired, the person is told which.
func TestFlowsThatCannotGoOnHaveAPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		for _, unknown := range []string{"req_unknown", "%2e%2e", "x%2Fconsent", strings.Repeat("x", 2000)} {
			p := b.Get(origin + "/auth/flows/" + unknown)
			require.Equal(t, http.StatusNotFound, p.Status)
			require.Equal(t, "This sign-in does not exist", p.H1())
		}

		consumed, page := b.flow(nil)
		require.NoError(t, w.requests.Consume(t.Context(), consumed, w.clock.Now()))
		p := b.Get(page)
		require.Equal(t, http.StatusGone, p.Status)
		require.Equal(t, "This sign-in is complete", p.H1())

		expired, page := b.flow(nil)
		w.clock.Advance(30 * time.Minute)
		p = b.Get(page)
		require.Equal(t, http.StatusGone, p.Status)
		require.Equal(t, "This sign-in took too long", p.H1())

		for _, step := range steps {
			p = b.Post(page+step,
				url.Values{"csrf_token": {cookie.CSRFToken(b.cookie, expired)}, "password": {rightWords}})
			require.Equal(t, http.StatusGone, p.Status)
		}
	})
}

// RFC 9700 4.12, RFC 9110 15.4.4: each form ends in a 303, so that the back button, a
// reload and a second click all lead to the step that is due.
func TestFormsOutOfTurnLeadToTheStepThatIsDue(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		token := url.Values{
			"csrf_token": {b.token(page)},
			"password":   {rightWords},
			"tenant":     {"tnt_acme"},
			"action":     {"allow"},
		}
		for _, step := range []string{"/password", "/tenant", "/consent"} {
			require.Equal(t, "Sign in", b.Post(page+step, token).H1())
		}

		p := b.Get(page).Submit("Continue", url.Values{"email": {"ada@acme.test"}})

		for _, step := range []string{"/tenant", "/consent"} {
			require.Equal(t, "Sign in to Acme Corp", b.Post(page+step, token).H1())
		}

		again := p.Submit("Sign in", url.Values{"password": {rightWords}})
		require.Equal(t, "Allow Other to use your account?", again.H1())
		s, before := b.session(), w.hasher.Work()
		require.Equal(t, "Allow Other to use your account?",
			p.Submit("Sign in", url.Values{"password": {rightWords}}).H1(), "the back button and a second click")
		require.Equal(t, s.ID, b.session().ID)
		require.Equal(t, before, w.hasher.Work())
		require.Equal(t, grants.Undecided, w.request(id).Decision)
		w.returns(again.Submit("Allow", nil), id)
		w.returns(again.Submit("Allow", nil), id)
		w.returns(b.Get(page), id)
		w.returns(b.Get(page+"?step=email"), id)
	})
}

// RFC 6749 4.1.1: state is kept by flow, not by browser.
func TestTwoFlowsAtOnceInOneBrowserBothEnd(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		one, onePage := b.flow(nil)
		two, twoPage := b.flow(nil)
		onPassword := b.Get(onePage).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		w.returns(b.signIn(twoPage, "ada@acme.test"), two)
		w.returns(onPassword.Submit("Sign in", url.Values{"password": {rightWords}}), one)
		require.Equal(t, w.request(one).SessionID, w.request(two).SessionID)
	})
}

// RFC 6749 appendix B, RFC 9110 15.5.
func TestBadInputIsAClear4xx(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		token := "csrf_token=" + url.QueryEscape(b.token(page))
		for name, c := range map[string]struct {
			contentType, body string
			status            int
		}{
			"invalid UTF-8": {"application/x-www-form-urlencoded", token + "&email=%ff%fe", 400},
			"NUL":           {"application/x-www-form-urlencoded", token + "&email=a%00b", 400},
			"JSON":          {"application/json", `{"email":"a@b.c"}`, 400},
			"a megabyte":    {"application/x-www-form-urlencoded", token + "&email=" + strings.Repeat("a", 1<<20), 413},
			"bad escapes":   {"application/x-www-form-urlencoded", "csrf_token=%zz", 400},
		} {
			for _, step := range steps {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page+step, strings.NewReader(c.body))
				require.NoError(t, err)
				r.Header.Set("Content-Type", c.contentType)
				r.Header.Set("Accept", "text/html")
				res, err := b.Client().Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, c.status, res.StatusCode, name+step)
				require.Contains(t, res.Header.Get("Content-Type"), "text/html")
			}
		}
	})
}

// RFC 8246 2: what is named by its hash never changes.
func TestAssetsAreServed(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		p := b.Get(page)
		_, after, _ := strings.Cut(p.Body, `rel="stylesheet" href="`)
		path, _, _ := strings.Cut(after, `"`)
		css := b.Get(origin + path)
		require.Equal(t, http.StatusOK, css.Status)
		require.Equal(t, "public, max-age=31536000, immutable", css.Header.Get("Cache-Control"))
		require.Equal(t, "text/css; charset=utf-8", css.Header.Get("Content-Type"))
		require.Equal(t, http.StatusNotFound, b.Get(origin+"/auth/assets/nope.css").Status)
	})
}

// FuzzForms sends anything as the fields of every form: the answer is a page or a
// redirect of ours, never a fault.
func FuzzForms(f *testing.F) {
	f.Add("email=ada%40acme.test&password=x&tenant=tnt_acme&action=allow")
	f.Add("email=%ff&password=%00")
	f.Add("a=b&a=c&;=%")
	db := testkit.SQLite(f)
	shared := newWorld(f, db, db)
	f.Fuzz(func(t *testing.T, body string) {
		own := *shared
		w := &own
		w.t = t
		b := w.newBrowser()
		id, page := b.flow(nil)
		token := "csrf_token=" + url.QueryEscape(cookie.CSRFToken(b.cookie, cookie.Purpose("email", id))) + "&"
		for _, step := range steps {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page+step, strings.NewReader(token+body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.AddCookie(&http.Cookie{Name: "platform_browser", Value: b.cookie})
			res, err := w.RoundTrip(r)
			require.NoError(t, err)
			require.Less(t, res.StatusCode, 500)

			if location := res.Header.Get("Location"); location != "" {
				require.True(t, strings.HasPrefix(location, "/auth/flows/"+id), location)
			}
		}

		require.NotEqual(t, grants.Denied, w.request(id).Decision)
	})
}

// RFC 6265bis 4.1.3.2 (__Host-), 4.1.2.5 (Secure), 4.1.2.6 (HttpOnly), 4.1.2.7 (SameSite).
func TestTheHostPrefixComesWithHTTPS(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		cfg := testConfig(t)
		cfg.Server.PublicURL = &url.URL{Scheme: "https", Host: "id.test"}
		service, err := build(cfg, w.deps(), w.hasher)
		require.NoError(t, err)
		b := w.newBrowser()
		id, _ := b.flow(nil)
		require.NoError(t, w.login(id, "ada@acme.test"))
		body := url.Values{
			"csrf_token": {cookie.CSRFToken(b.cookie, cookie.Purpose("password", id, "ada@acme.test", "tnt_acme"))},
			"password":   {rightWords},
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://id.test/auth/flows/"+id+"/password",
			strings.NewReader(body.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: "__Host-platform_browser", Value: b.cookie})
		w.handler = service.Handler
		res, err := w.RoundTrip(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusSeeOther, res.StatusCode)
		cookies := res.Cookies()
		lifetimes := map[string]time.Duration{}
		for _, c := range cookies {
			require.True(t, c.Secure && c.HttpOnly, c.Name)
			require.Equal(t, http.SameSiteLaxMode, c.SameSite, c.Name)
			require.Equal(t, "/", c.Path, c.Name)
			require.Empty(t, c.Domain, c.Name)
			lifetimes[c.Name] = time.Duration(c.MaxAge) * time.Second
		}

		require.Equal(t, map[string]time.Duration{
			"__Host-platform_session":  30 * 24 * time.Hour,
			"__Host-platform_browser":  0,
			"__Host-platform_accounts": 30 * 24 * time.Hour,
			"__Host-platform_device":   365 * 24 * time.Hour,
		}, lifetimes)

		require.Equal(t, "__Host-platform_session", cookies[0].Name)
		_, err = w.sessions.ByCookie(t.Context(), oauth.HashSecret(cookies[0].Value))
		require.NoError(t, err)
	})
}
