package e2e

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// TestAGermanReadsGerman checks ui_locales in a flow (OpenID Connect Core 3.1.2.1) and the
// browser's languages elsewhere, on a phone and with script off.
func TestAGermanReadsGerman(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		app, p := newNativeApp(t, s), newPhone(t, s)
		german := func(title, name string) {
			t.Helper()
			require.Equal(t, title, p.text(`h1`))
			require.Equal(t, "de", read(p.tab, chromedp.Evaluate[string](`document.documentElement.lang`)))
			p.judge("de-" + name)
		}

		a := newAttempt()
		p.open(app.begin(a, oauth2.SetAuthURLParam("ui_locales", "fr de-AT")))
		p.see(emailField)
		german("Anmelden", "sign-in-email")
		p.fill(emailField, "ada@acme.test"+kb.Enter)
		p.see(passwordField)
		german("Anmelden bei Acme Corp", "sign-in-password")
		p.fill(passwordField, password+kb.Enter)
		p.see(allowButton)
		german("Darf Command line Ihr Konto verwenden?", "consent")
		p.click(allowButton)
		app.take(t, p, a)

		p.speak("de-CH,de;q=0.9,en;q=0.5")

		for path, title := range map[string]string{
			"/account":          "Ihr Konto",
			"/account/password": "Passwort ändern",
			"/device":           "Ein Gerät verbinden",
			prefix + "/oauth/authorize?" + url.Values{
				"client_id":     {"unknown"},
				"redirect_uri":  {"https://evil.test"},
				"response_type": {"code"},
				"scope":         {"openid"},
			}.Encode(): "Diese Anfrage kann nicht bearbeitet werden",
		} {
			p.open(s.Origin + path)
			p.see(`h1`)
			german(title, "page")
		}
	})
}
