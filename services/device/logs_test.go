package device_test

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 8628 5.2: a device code is a secret; RFC 6749 10.3.
func TestNothingSecretIsLogged(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	var logs bytes.Buffer
	w.service = w.logging(w.db, slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	asked := w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		form:   url.Values{"client_id": {"web"}, "client_secret": {appSecret}},
	}).json(http.StatusOK)
	code := asked["user_code"].(string)
	_, session := w.signIn()
	csrf := w.csrf(code, session)
	browser := rand.Text()
	w.do(visit{
		path:    pagePath,
		page:    true,
		browser: browser,
		query:   url.Values{"user_code": {code}},
	})

	w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		form:   url.Values{"client_id": {"web"}, "client_secret": {"mistyped-secret"}},
	}).json(http.StatusUnauthorized)
	w.exec(`ALTER TABLE audit_events RENAME TO audit_events_gone`) // a failure with a cause
	approve := w.approval(code, session, csrf)
	w.do(approve).json(http.StatusOK)
	w.exec(`ALTER TABLE device_codes RENAME TO device_codes_gone`)
	w.do(approve).json(http.StatusInternalServerError)

	require.Contains(t, logs.String(), "can't write the audit trail")

	for name, secret := range map[string]string{
		"the device code":     asked["device_code"].(string),
		"the user code":       code,
		"the user code, bare": strings.ReplaceAll(code, "-", ""),
		"the secret":          appSecret,
		"a mistyped secret":   "mistyped-secret",
		"the CSRF token":      csrf,
		"the session":         session,
		"the browser":         browser,
		"the address":         "ada@acme.test",
	} {
		require.NotContains(t, logs.String(), secret, name)
	}
}
