package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// phone is a tab the size of a phone, with script switched off.
type phone struct {
	*tab
	judged bool // pages are judged in one way of running: they are the same in the other
}

func newPhone(t *testing.T, s *system) *phone {
	t.Helper()
	p := &phone{tab: newTab(t), judged: s.together}
	p.small()
	p.script(false)
	return p
}

func (p *phone) small() { p.t.Helper(); p.do(chromedp.EmulateViewport(390, 844)) }

func (p *phone) script(on bool) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: !on})
	require.NoError(p.t, err)
}

// judge lets axe-core, which is a script, look at a page that was loaded without.
func (p *phone) judge(name string) {
	p.t.Helper()
	wide := read(p.tab,
		chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
	require.False(p.t, wide, "%s sticks out of a phone", name)

	if !p.judged {
		return
	}

	p.script(true)
	p.tab.judge(name)
	p.script(false)
	p.small()
}

func (p *phone) signIn(email string) {
	p.t.Helper()
	p.see(emailField)
	p.fill(emailField, email+kb.Enter)
	p.see(passwordField)
	p.fill(passwordField, password+kb.Enter)
}

// allow agrees to what the consent page asks.
func (p *phone) allow() { p.t.Helper(); p.see(allowButton); p.click(allowButton) }

// nativeApp is an application on the phone that waits for the browser to return.
type nativeApp struct {
	*relyingParty
	s       *system
	answers chan url.Values // what came with each return
}

func newNativeApp(t *testing.T, s *system) *nativeApp {
	t.Helper()
	app := &nativeApp{s: s, answers: make(chan url.Values, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}

		app.answers <- r.Form
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w,
			`<!doctype html><html lang="en"><title>Back</title><h1 id="back">Back by %s</h1>`, r.Method)
	}))

	t.Cleanup(server.Close)
	app.relyingParty = newRelyingParty(t, s, "native", server.URL+"/callback", "openid", "profile")
	app.Endpoint.AuthStyle = oauth2.AuthStyleInParams

	return app
}

// signedIn holds what the application learns from an ID token.
type signedIn struct {
	Subject string `json:"sub"`
	Tenant  string `json:"tenant_slug"`
	Session string `json:"sid"`
	raw     string
}

// take redeems the code that the browser has just brought back.
func (app *nativeApp) take(t *testing.T, p *phone, a attempt) signedIn {
	t.Helper()
	p.see(`#back`)

	select {
	case answer := <-app.answers:
		tokens, id := app.redeem(t, a, app.code(t, app.s, a, &url.URL{RawQuery: answer.Encode()}))
		var who signedIn
		require.NoError(t, id.Claims(&who))
		who.raw = tokens.Extra("id_token").(string)
		return who
	case <-time.After(2 * time.Minute):
		require.Fail(t, "the browser has not come back")
		return signedIn{}
	}
}

func TestChoosingTenantsAndAccountsOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		app, p := newNativeApp(t, s), newPhone(t, s)
		selectAccount := oauth2.SetAuthURLParam("prompt", "select_account")

		a := newAttempt()
		p.open(app.begin(a))
		p.signIn("grace@globex.test")
		p.see(`button[name="tenant"]`)
		p.judge("choose-tenant")
		p.click(`li:nth-child(2) button[name="tenant"]`)
		p.see(allowButton)
		require.Contains(t, p.text(`main`), "Command line")
		p.judge("consent-native")
		p.click(allowButton)
		grace := app.take(t, p, a)
		require.Equal(t, "globex", grace.Tenant)

		a = newAttempt()
		p.open(app.begin(a, selectAccount))
		p.see(`button[name="tenant"]`)
		require.Contains(t, p.text(`main`), "signed in now")
		p.judge("choose-account")
		p.click(`li:nth-child(2) button[name="tenant"]`)
		p.allow()
		switched := app.take(t, p, a)
		require.Equal(t, "acme", switched.Tenant)
		require.Equal(t, grace.Subject, switched.Subject)
		require.NotEqual(t, grace.Session, switched.Session, "switching makes a new session")

		a = newAttempt()
		p.open(app.begin(a, selectAccount))
		p.see(`a.choice`)
		p.click(`a.choice`)
		p.signIn("ada@acme.test")
		p.allow()
		ada := app.take(t, p, a)
		require.NotEqual(t, grace.Subject, ada.Subject)

		a = newAttempt()
		p.open(app.begin(a, selectAccount))
		p.see(`button[name="session"]`)
		require.Contains(t, p.text(`main`), "grace@globex.test")
		p.judge("choose-account-of-two")
		p.click(`button[name="session"]`)
		p.allow()
		require.Equal(t, grace.Subject, app.take(t, p, a).Subject, "several are signed in at once")
	})
}

func TestWhoIsAtHomeNowhereIsToldSoOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		app, p := newNativeApp(t, s), newPhone(t, s)
		p.open(app.begin(newAttempt()))
		p.signIn("lonely@nowhere.test")
		p.see(`.actions a`)
		require.Contains(t, p.text(`main`), "No organisation to sign in to")
		p.judge("no-tenant")
		p.click(`.account a`)
		p.see(`form button`)
		require.Contains(t, p.text(`main`), "Sign out?")
	})
}

func TestConnectingADeviceOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		config := oauth2.Config{ClientID: "native", Scopes: []string{"openid", "profile"}, Endpoint: oauth2.Endpoint{
			DeviceAuthURL: s.url("/oauth/device/authorize"), TokenURL: s.url("/oauth/token"),
			AuthStyle: oauth2.AuthStyleInParams,
		}}
		device, err := config.DeviceAuth(t.Context())
		require.NoError(t, err)
		device.Interval = 1 // the first poll is never too fast
		const codeField, approveButton, denyButton = `input[name="user_code"]`, `button[value="approve"]`, `button[value="deny"]`
		p := newPhone(t, s)
		p.open(device.VerificationURI)
		p.see(codeField)
		p.judge("device-enter")
		p.fill(codeField, "wrong"+kb.Enter)
		p.see(`[aria-invalid="true"]`)
		p.judge("device-unknown-code")
		p.open(device.VerificationURI)
		p.see(codeField)
		p.fill(codeField, strings.ToLower(strings.ReplaceAll(device.UserCode, "-", " "))+kb.Enter)
		p.signIn("ada@acme.test")
		p.see(approveButton)
		require.Contains(t, p.text(`main`), device.UserCode, "signing in keeps the code")
		require.Contains(t, p.text(`main`), "Command line")
		p.judge("device-approve")
		p.click(approveButton)
		p.do(chromedp.WaitNotPresent(chromedp.CSS(approveButton)))
		require.Contains(t, p.text(`main`), "Device connected")
		p.judge("device-done")
		_, err = config.DeviceAccessToken(t.Context(), device)
		require.NoError(t, err)

		device, err = config.DeviceAuth(t.Context())
		require.NoError(t, err)
		device.Interval = 1
		p.speak("de-CH,de;q=0.9,en;q=0.5")
		p.open(s.Origin + "/device?user_code=wrong")
		p.see(`[aria-invalid="true"]`)
		p.judge("de-device-unknown-code")
		p.open(device.VerificationURIComplete)
		p.see(denyButton)
		require.Contains(t, p.text(`main`), "Code auf dem Gerät")
		p.judge("de-device-approve")
		p.click(denyButton)
		p.do(chromedp.WaitNotPresent(chromedp.CSS(denyButton)))
		require.Contains(t, p.text(`h1`), "Gerät abgelehnt")
		p.judge("de-device-refused")
		_, err = config.DeviceAccessToken(t.Context(), device)
		requireOAuthError(t, err, http.StatusBadRequest, "access_denied")
	})
}

// TestFormPostOnAPhone: OAuth 2.0 Form Post Response Mode 2, by itself and by hand.
func TestFormPostOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		app, p := newNativeApp(t, s), newPhone(t, s)
		formPost := oauth2.SetAuthURLParam("response_mode", "form_post")
		a := newAttempt()
		p.open(app.begin(a, formPost))
		p.signIn("ada@acme.test")
		p.allow()
		p.see(`#form-post button`)
		p.judge("form-post")
		p.click(`#form-post button`)
		first := app.take(t, p, a)
		require.Equal(t, "Back by POST", p.text(`#back`))

		p.script(true)
		a = newAttempt()
		p.open(app.begin(a, formPost))
		p.allow()
		require.Equal(t, first.Subject, app.take(t, p, a).Subject, "the script sends it on")
		require.Equal(t, "Back by POST", p.text(`#back`))
	})
}

// TestLoggingOutWithAnotherSessionsHintAsks: OpenID Connect RP-Initiated Logout 1.0
// 2; a link must not be a logout button for attackers.
func TestLoggingOutWithAnotherSessionsHintAsks(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		app, p := newNativeApp(t, s), newPhone(t, s)
		a := newAttempt()
		p.open(app.begin(a))
		p.signIn("ada@acme.test")
		p.allow()
		first := app.take(t, p, a)
		a = newAttempt()
		p.open(app.begin(a, oauth2.SetAuthURLParam("prompt", "login")))
		p.signIn("ada@acme.test")
		p.allow()
		require.Equal(t, first.Session, app.take(t, p, a).Session, "signing in again keeps the session")

		p = newPhone(t, s)
		a = newAttempt()
		p.open(app.begin(a))
		p.signIn("ada@acme.test")
		p.allow()
		require.NotEqual(t, first.Session, app.take(t, p, a).Session, "another browser has its own")

		p.open(s.url("/oauth/logout") + "?" + url.Values{"id_token_hint": {first.raw}, "state": {"x"}}.Encode())
		p.see(`form button`)
		require.Contains(t, p.text(`main`), "Command line asks to sign you out")
		p.judge("logout-other-session")
		p.click(`form button`)
		p.do(chromedp.WaitNotPresent(chromedp.CSS(`form`)))
		require.Contains(t, p.text(`main`), "You are signed out")

		p.open(app.begin(newAttempt()))
		p.see(emailField)
	})
}

func TestAccountOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		// Elsewhere: an application that keeps a refresh token.
		elsewhere := formbrowser.New(t, "https://")
		portal := newRelyingParty(t, s, "portal", "https://portal.test/callback", "openid", "offline_access")
		a := newAttempt()
		tokens, _ := portal.redeem(t, a, portal.code(t, s, a, signIn(elsewhere.Get(portal.begin(a)), "ada@acme.test")))
		require.NotEmpty(t, tokens.RefreshToken)

		p := newPhone(t, s)
		p.open(s.Origin + "/account")
		p.signIn("ada@acme.test")
		p.see(`#devices`)
		require.Contains(t, p.text(`main`), "Portal")
		p.judge("account")

		p.click(`button[name="application"]`)
		p.see(`.notice.success`)
		require.NotContains(t, p.text(`main`), "Portal")
		p.judge("account-withdrawn")
		_, err := portal.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
		requireOAuthError(t, err, http.StatusBadRequest, "invalid_grant")

		require.Contains(t, elsewhere.Get(s.Origin+"/account").Text(), "Your account")
		p.click(`button[value="others"]`)
		p.do(chromedp.WaitNotPresent(chromedp.CSS(`button[value="others"]`)))
		require.True(t, elsewhere.Get(s.Origin+"/account").Has("email"), "that browser has to sign in")

		p.open(s.Origin + "/account/password")
		const current, fresh, again = `input[name="current_password"]`, `input[name="new_password"]`, `input[name="repeat_password"]`
		const longer = "a longer password than before"
		p.see(current)
		p.judge("account-password")
		p.fill(current, password)
		p.fill(fresh, longer)
		p.fill(again, "something else"+kb.Enter)
		p.see(`[aria-invalid="true"]`)
		p.judge("account-password-refused")
		p.fill(current, password)
		p.fill(fresh, longer)
		p.fill(again, longer+kb.Enter)
		p.see(`.notice.success`)

		page := elsewhere.Get(s.Origin+"/account").Submit("Continue",
			url.Values{"email": {"ada@acme.test"}}).Submit("Sign in", url.Values{"password": {longer}})
		require.Equal(t, "Your account", page.H1())
	})
}

// TestATenantsEntranceOnAPhone: its name and colour, and no application behind it.
func TestATenantsEntranceOnAPhone(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		p := newPhone(t, s)
		p.open(s.Origin + "/auth/tenants/globex")
		p.see(emailField)
		require.Contains(t, p.text(`h1`), "Globex")
		theme := read(p.tab, chromedp.Evaluate[string](`document.querySelector('link[href*="theme.css"]').href`))
		res, css := exchange(t, http.MethodGet, theme, "", nil)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.NotEmpty(t, css)
		p.judge("tenant-entrance")
		p.signIn("grace@globex.test")
		p.see(`#devices`)
		require.Contains(t, p.text(`main`), "Globex", "who enters by a tenant's page is not asked which")
		p.judge("account-of-tenant")
		otherSitesGetNowhere(t, s, p)
	})
}
