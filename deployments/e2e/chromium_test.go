package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/chromium"
)

// tab is one page of a real Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
	axe string // axe-core's source
}

func newTab(t *testing.T) *tab {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	require.NoError(t, err, "axe-core is missing: make test installs it from npm")
	// Pages that Chromium brings back from memory ask nobody, and tell chromedp
	// nothing; without them the back button is a request.
	browser := chromium.Start(t, chromium.Flag("disable-features", "BackForwardCache"))
	ctx, cancel := context.WithTimeout(browser, 2*time.Minute)
	t.Cleanup(cancel)
	return &tab{t: t, ctx: ctx, axe: string(source)}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
		defer cancel()
		where, _ := chromedp.Run(ctx, chromedp.Location())
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
		require.NoError(b.t, err, "at %s, which says:\n%s", where, text)
	}
}

// read runs an action that returns a value.
func read[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	answer, err := chromedp.Run(b.ctx, action)
	require.NoError(b.t, err)
	return answer
}

func (b *tab) open(url string)  { b.t.Helper(); b.do(chromedp.Navigate(url)) }
func (b *tab) click(sel string) { b.t.Helper(); b.do(chromedp.Click(chromedp.CSS(sel))) }
func (b *tab) see(sel string)   { b.t.Helper(); b.do(chromedp.WaitVisible(chromedp.CSS(sel))) }

func (b *tab) fill(sel, keys string) { b.t.Helper(); b.do(chromedp.SendKeys(chromedp.CSS(sel), keys)) }

func (b *tab) text(sel string) string { b.t.Helper(); return read(b, chromedp.Text(chromedp.CSS(sel))) }

// judged holds the names of the pages that were judged.
var judged sync.Map

// judge checks the current page: axe-core finds nothing, in light and in dark, and nothing
// sticks out at 320 pixels.
//
// A page is judged once a run: both ways of running show the same one.
func (b *tab) judge(name string) {
	b.t.Helper()

	if _, judged := judged.LoadOrStore(name, true); judged {
		return
	}

	for _, scheme := range []string{"light", "dark"} {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		require.NoError(b.t, err)

		for _, width := range []int64{1280, 320} {
			b.do(chromedp.EmulateViewport(width, 800))
			wide := read(b,
				chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
			require.False(b.t, wide, "%s sticks out at %d px", name, width)
			b.shoot(fmt.Sprintf("%s-%s-%d", name, scheme, width))
		}

		b.do(chromedp.Evaluate[chromedp.Void](b.axe))
		violations := read(b, chromedp.Evaluate[string](
			`axe.run().then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" "))))`, chromedp.EvalAwaitPromise))
		require.Equal(b.t, "[]", violations, "axe-core on %s, %s", name, scheme)
	}

	b.do(chromedp.EmulateReset())
}

// speak sets the browser's languages (RFC 9110 12.5.4).
func (b *tab) speak(languages string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, network.SetExtraHTTPHeaders,
		network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": languages}})
	require.NoError(b.t, err)
}

// shoot keeps a screenshot if E2E_SCREENSHOTS names a folder.
func (b *tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("E2E_SCREENSHOTS")
	if folder == "" {
		return
	}

	png := read(b, chromedp.FullScreenshot(100))
	require.NoError(b.t, os.MkdirAll(folder, 0o750))
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600))
}

// press types keys into the focused element.
func (b *tab) press(keys string) { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }

// focus presses the tab key until the element that sel names has the focus. It uses the
// browser's DOM agent, because the page may not run scripts.
func (b *tab) focus(sel string) {
	b.t.Helper()
	for range 30 {
		if read(b,
			chromedp.Evaluate[bool](fmt.Sprintf(`document.activeElement !== null && document.activeElement.matches(%q)`,
				sel))) {
			return
		}
		b.press(kb.Tab)
	}

	require.Fail(b.t, "the tab key never reaches "+sel)
}

const (
	emailField    = `input[name="email"]`
	passwordField = `input[name="password"]:not([type="hidden"])`
	allowButton   = `button[name="action"][value="allow"]`
)

// TestDemoInChromium clicks through the demo of `make run` and judges each page.
func TestDemoInChromium(t *testing.T) {
	s := together(t, "--demo")
	user, secret := demoUser(t, s)
	b := newTab(t)
	b.open(s.Origin + "/demo")
	b.judge("demo")
	b.click(`a.button`)
	b.see(emailField)
	b.judge("sign-in-email")
	b.fill(emailField, user+kb.Enter)
	b.see(passwordField)
	b.judge("sign-in-password")
	b.fill(passwordField, "wrong"+kb.Enter)
	b.see(`[role="alert"]`)
	b.judge("sign-in-wrong-password")
	b.fill(passwordField, secret+kb.Enter)
	b.see(allowButton)
	b.judge("consent")
	b.click(allowButton)
	b.see(`pre`)
	text := b.text(`main`)
	require.Contains(t, text, `"typ": "at+jwt"`)
	require.Contains(t, text, user, "userinfo is shown")
	b.judge("demo-tokens")

	b.open(s.Origin + "/demo/login/demo-second")
	b.see(`pre`)
	require.Contains(t, b.text(`main`), "demo-second", "the second application signs in without a page")

	b.open(s.url("/oauth/authorize") + "?client_id=unknown&redirect_uri=https://evil.test&response_type=code&scope=openid")
	b.see(`h1`)
	b.judge("error")
	b.open(s.url("/oauth/logout"))
	b.see(`form button`)
	b.judge("logout")
	b.click(`form button`)
	b.do(chromedp.WaitNotPresent(chromedp.CSS(`form`)))
	b.judge("signed-out")
}

// TestDemoCredentialsSurviveARestart checks that they are kept and printed again.
func TestDemoCredentialsSurviveARestart(t *testing.T) {
	s := together(t, "--demo")
	_, before := demoUser(t, s)
	s.restart(t)
	_, after := demoUser(t, s)
	require.Equal(t, before, after)
}

// demoUser finds the demo user's address and password in the output of `up`.
func demoUser(t *testing.T, s *system) (email, secret string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range strings.Lines(s.procs["platform"].out.String()) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "sign in "); ok {
				fields := strings.Fields(rest)
				email, secret = fields[0], fields[len(fields)-1]
			}
		}
		return secret != ""
	}, 2*time.Minute, 10*time.Millisecond, "`up --demo` prints its user once it is ready")

	return email, secret
}

// TestSignInByKeyboardOnlyAndWithoutScript goes through the pages without a mouse and with
// script switched off.
func TestSignInByKeyboardOnlyAndWithoutScript(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		callback := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><title>Back</title><h1 id="back">Back</h1>`)
		}))
		t.Cleanup(callback.Close)
		rp := newRelyingParty(t, s, "native", callback.URL+"/callback", "openid")
		rp.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		a := newAttempt()
		b := newTab(t)
		_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		require.NoError(t, err)
		b.open(rp.begin(a))
		b.see(emailField)
		b.focus(emailField)
		b.press("ada@acme.test" + kb.Enter)
		b.see(passwordField)
		b.focus(passwordField)
		b.press(password + kb.Enter)
		b.see(allowButton)
		b.focus(allowButton)
		b.press(kb.Enter)
		b.see(`#back`)
		answer, err := url.Parse(read(b, chromedp.Location()))
		require.NoError(t, err)
		rp.redeem(t, a, rp.code(t, s, a, answer))
	})
}
