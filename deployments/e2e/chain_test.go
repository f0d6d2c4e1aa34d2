package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// broker is an application whose redirect URIs lead to a third origin at once, like those
// of an identity broker, of a proxy that returns to a page, or of an API. It registers
// itself.
type broker struct {
	s     *system
	own   string // where it is called back
	third string // where it sends the browser on
}

func newBroker(t *testing.T, s *system) *broker {
	t.Helper()
	third := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><title>Third</title><h1 id="third">Third</h1>`)
	}))
	t.Cleanup(third.Close)
	b := &broker{s: s, third: third.URL}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived := url.Values{"by": {r.Method + " " + r.URL.Path}, "state": {r.FormValue("state")}}
		http.Redirect(w, r, b.third+"/?"+arrived.Encode(), http.StatusSeeOther)
	}))
	t.Cleanup(server.Close)
	b.own = server.URL
	s.register(t, &directory.Application{
		ClientID:               "broker",
		Type:                   directory.Web,
		RedirectURIs:           []string{b.own + "/callback"},
		PostLogoutRedirectURIs: []string{b.own + "/bye"},
		Grants:                 []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes:                 oauth.Scopes{"openid"},
	})

	return b
}

func (b *broker) begin(state string, more url.Values) string {
	query := url.Values{
		"client_id":     {"broker"},
		"response_type": {"code"},
		"scope":         {"openid"},
		"redirect_uri":  {b.own + "/callback"},
		"state":         {state},
	}
	for name, values := range more {
		query[name] = values
	}

	return b.s.url("/oauth/authorize") + "?" + query.Encode()
}

// arrived waits for the third origin's page.
func (b *broker) arrived(t *testing.T, tab *tab, by, state string) {
	t.Helper()
	tab.do(chromedp.WaitVisible(chromedp.CSS(`h1#third`)))
	at, err := url.Parse(read(tab, chromedp.Location()))
	require.NoError(t, err)
	require.Equal(t, b.third, at.Scheme+"://"+at.Host)
	require.Equal(t, by, at.Query().Get("by"))
	require.Equal(t, state, at.Query().Get("state"))
}

// TestAnApplicationsAddressesMayLeadAnywhere checks that form-action doesn't stop a person
// whom an application redirects further. Chromium applies the form-action of the page with
// the form to every redirect after a form post (CSP Level 3 6.4.2).
func TestAnApplicationsAddressesMayLeadAnywhere(t *testing.T) {
	s := together(t)
	broker := newBroker(t, s)
	tab := newTab(t)

	// Sign-in, then consent.
	tab.open(broker.begin("first", nil))
	tab.see(emailField)
	tab.fill(emailField, "grace@globex.test"+kb.Enter)
	tab.see(passwordField)
	tab.fill(passwordField, password+kb.Enter)
	tab.see(`button[name="tenant"]`)
	tab.click(`button[name="tenant"]`)
	tab.see(allowButton)
	tab.click(allowButton)
	broker.arrived(t, tab, "GET /callback", "first")

	// A refusal is an answer too.
	tab.open(broker.begin("refused", url.Values{"prompt": {"consent"}}))
	tab.see(allowButton)
	tab.click(`button[name="action"][value="deny"]`)
	broker.arrived(t, tab, "GET /callback", "refused")

	// Consent is remembered from here on, and a sign-in of the same person keeps the
	// session's tenant: the password is the last form.
	tab.open(broker.begin("again", url.Values{"prompt": {"login"}}))
	tab.see(emailField)
	tab.fill(emailField, "grace@globex.test"+kb.Enter)
	tab.see(passwordField)
	tab.fill(passwordField, password+kb.Enter)
	broker.arrived(t, tab, "GET /callback", "again")

	// The choice of an account, and form_post by its script.
	tab.open(broker.begin("chosen", url.Values{"prompt": {"select_account"}, "response_mode": {"form_post"}}))
	tab.see(`button[name="tenant"]`)
	tab.click(`button[name="tenant"]`)
	broker.arrived(t, tab, "POST /callback", "chosen")

	// form_post by its button, where scripts do not run.
	_, err := chromedp.Call(tab.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	tab.open(broker.begin("pressed", url.Values{"response_mode": {"form_post"}}))
	tab.see(`form#form-post button`)
	tab.click(`form#form-post button`)
	broker.arrived(t, tab, "POST /callback", "pressed")

	// Logout, after the page that asks.
	tab.open(s.url("/oauth/logout") + "?" + url.Values{
		"client_id":                {"broker"},
		"post_logout_redirect_uri": {broker.own + "/bye"},
		"state":                    {"bye"},
	}.Encode())

	tab.see(`form button`)
	tab.click(`form button`)
	broker.arrived(t, tab, "GET /bye", "bye")
}

// TestPeopleAreToldWhatIsInDevelopmentAndHaveAWayOn judges the pages that no other test
// reaches.
func TestPeopleAreToldWhatIsInDevelopmentAndHaveAWayOn(t *testing.T) {
	s := together(t)
	broker := newBroker(t, s)
	s.register(t, &directory.Application{
		ClientID:         "broker",
		Type:             directory.Web,
		RedirectURIs:     []string{broker.own + "/callback"},
		Grants:           []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes:           oauth.Scopes{"openid"},
		FirstParty:       true,
		Development:      true,
		InitiateLoginURI: broker.third + "/login",
	})

	tab := newTab(t)

	tab.open(broker.begin("built", nil))
	tab.see(emailField)
	flow := read(tab, chromedp.Location())
	tab.fill(emailField, "ada@acme.test"+kb.Enter)
	tab.see(passwordField)
	tab.fill(passwordField, password+kb.Enter)
	tab.see(allowButton)
	require.Contains(t, tab.text(`main`), "is still in development", "first party or not")
	tab.judge("consent-development")
	tab.click(allowButton)
	broker.arrived(t, tab, "GET /callback", "built")

	tab.open(flow)
	tab.judge("flow-begin")
	tab.click(`main a.button`)
	tab.see(`h1#third`)
	at, err := url.Parse(read(tab, chromedp.Location()))
	require.NoError(t, err)
	require.Equal(t, s.Issuer, at.Query().Get("iss"), "OpenID Connect Core 4")
}
