package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

func (b *tab) back() { b.t.Helper(); b.do(chromedp.NavigateBack()) }

// gone waits until the page without what sel names is there.
func (b *tab) gone(sel string) { b.t.Helper(); b.do(chromedp.WaitNotPresent(chromedp.CSS(sel))) }

// pressTwice clicks twice before the browser has left the page.
func (b *tab) pressTwice(sel string) {
	b.t.Helper()
	b.see(sel)
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(e => { e.click(); e.click() })(document.querySelector(%q))`,
		sel)))
}

// another is a second tab of the same browser.
func (p *phone) another() *phone {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	second := &phone{tab: &tab{t: p.t, ctx: ctx, axe: p.axe}, judged: p.judged}
	second.do()
	second.small()
	second.script(false)
	return second
}

var shownReference = regexp.MustCompile(`Reference\s+([0-9a-f]{32})`)

// explained checks that the operator can look up the reference of the current error page.
func (p *phone) explained(s *system, words string) {
	p.t.Helper()
	text := p.text(`main`)
	require.Contains(p.t, text, words)
	reference := shownReference.FindStringSubmatch(text)
	require.NotNil(p.t, reference, text)
	require.Contains(p.t, platform(p.t, s.operator, "audit", "--reference", reference[1]),
		"reference="+reference[1], words)
}

// TestHastyPeopleArriveOnAPhone tries the back button, two tabs, double clicks, a sign-in
// that takes too long and too many guesses, on real pages and without script.
// RFC 9700 4.12 (each form ends in a 303), RFC 6749 4.1.1 (state is kept by flow),
// RFC 6585 4 (429).
func TestHastyPeopleArriveOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		app, p := newNativeApp(t, s), newPhone(t, s)

		// Back from the password: the step that is due is shown again, and the address
		// can be changed. Each button is pressed twice.
		a := newAttempt()
		p.open(app.begin(a))
		p.see(emailField)
		p.fill(emailField, "ada@acme.test"+kb.Enter)
		p.see(passwordField)
		p.back()
		p.see(passwordField)
		require.Contains(t, p.text(`main`), "ada@acme.test")
		p.click(`.account a`)
		p.see(emailField)
		p.do(chromedp.Clear(chromedp.CSS(emailField)))
		p.fill(emailField, "grace@globex.test")
		p.pressTwice(`main form button`)
		p.see(passwordField)
		require.Contains(t, p.text(`main`), "grace@globex.test")
		p.fill(passwordField, password)
		p.pressTwice(`main form button`)
		p.see(`button[name="tenant"]`)

		// A second tab of the same browser starts another flow and ends it first.
		b, second := newAttempt(), p.another()
		second.open(app.begin(b))
		second.see(`button[name="tenant"]`)
		second.pressTwice(`li:nth-child(2) button[name="tenant"]`)
		second.see(allowButton)
		second.back()
		second.allow()
		fromSecond := app.take(t, second, b)
		require.Equal(t, "globex", fromSecond.Tenant)

		// The first tab shows what was due before: pressing it leads on all the same.
		p.click(`li:nth-child(1) button[name="tenant"]`)
		p.allow()
		fromFirst := app.take(t, p, a)
		require.Equal(t, fromSecond.Session, fromFirst.Session, "one session, whose tenant was chosen once")
		require.Equal(t, "globex", fromFirst.Tenant)

		p.back()
		p.gone(`#back`)
		p.explained(s, "This sign-in is complete")
		p.judge("flow-finished")

		// Too many guesses, most of them by a program at the same address. The first
		// wait is shorter than a browser may take, so it is drawn out.
		guess := formbrowser.New(t).Get(app.begin(newAttempt())).Submit("Continue",
			url.Values{"email": {"nobody@acme.test"}})
		for range 10 {
			require.Equal(t, http.StatusOK, guess.Status)
			guess = guess.Submit("Sign in", url.Values{"password": {"wrong"}})
		}

		soon := func(statement string, in time.Duration) {
			changed, err := s.database(t).Exec(t.Context(), "e2e.time", statement, database.At(time.Now().Add(in)))
			require.NoError(t, err)
			require.Positive(t, changed)
		}

		soon(`UPDATE limits SET blocked_until = $1 WHERE blocked_until IS NOT NULL`, time.Minute)
		stranger := newPhone(t, s)
		stranger.open(app.begin(newAttempt()))
		stranger.see(emailField)
		stranger.fill(emailField, "nobody@acme.test"+kb.Enter)
		stranger.see(passwordField)
		stranger.fill(passwordField, "wrong"+kb.Enter)
		stranger.gone(passwordField)
		stranger.explained(s, "Too many attempts")
		stranger.judge("limited")

		stranger.open(app.begin(newAttempt()))
		stranger.see(emailField)
		stranger.fill(emailField, "ada@acme.test"+kb.Enter)
		stranger.see(passwordField) // from here on the flow is a row
		soon(`UPDATE authorization_requests SET expires_at = $1 WHERE consumed_at IS NULL`, -time.Second)
		stranger.fill(passwordField, password+kb.Enter)
		stranger.gone(passwordField)
		stranger.explained(s, "This sign-in took too long")
		stranger.judge("flow-expired")

		// The error pages of the other services.
		for path, words := range map[string]string{
			"/auth/tenants/nowhere": "not",
			prefix + "/oauth/authorize?client_id=x&redirect_uri=https://evil.test&response_type=code&scope=openid": "invalid_request",
			prefix + "/oauth/logout?post_logout_redirect_uri=https://evil.test":                                    "invalid_request",
		} {
			stranger.open(s.Origin + path)
			stranger.see(`h1`)
			stranger.explained(s, words)
		}

		// What only programs ask for has no page.
		stranger.open(s.url("/oauth/userinfo"))
		require.Contains(t, stranger.text(`body`), `"error":"invalid_request"`)

		stranger.open(s.url("/.well-known/nothing"))
		require.Contains(t, stranger.text(`body`), "Not Found")
		require.NotRegexp(t, shownReference, stranger.text(`body`), "it isn't a page, so there is no reference to look up")
	})
}

// otherSitesGetNowhere has a page of another site (localhost is one to 127.0.0.1) post
// what it can for a person who is signed in (RFC 6749 10.12).
func otherSitesGetNowhere(t *testing.T, s *system, p *phone) {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Evil</title><h1>Evil</h1>
<form method="post" action="%[1]s/oauth/logout"><button id="logout">x</button></form>
<form method="post" action="%[2]s/account/sessions"><input type="hidden" name="session" value="others"><button id="sessions">x</button></form>`, s.Origin+prefix, s.Origin)
	}))

	t.Cleanup(site.Close)
	evil := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)

	p.open(evil)
	p.click(`#logout`) // no Lax cookie comes along, so it becomes our GET, which asks
	p.see(`form button`)
	require.Contains(t, p.text(`main`), "Sign out?")
	p.open(evil)
	p.click(`#sessions`)
	p.see(`#devices`)
	require.NotContains(t, p.text(`main`), "You are signed out everywhere else.")
}
