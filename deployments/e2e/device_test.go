package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// TestDeviceSignsInOnASecondScreen uses x/oauth2's device flow (RFC 8628) on the
// device and a browser that is not signed in yet.
func TestDeviceSignsInOnASecondScreen(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		config := oauth2.Config{ClientID: "native", Scopes: []string{"openid", "profile"}, Endpoint: oauth2.Endpoint{
			DeviceAuthURL: s.url("/oauth/device/authorize"), TokenURL: s.url("/oauth/token"),
			AuthStyle: oauth2.AuthStyleInParams,
		}}
		code, err := config.DeviceAuth(t.Context())
		require.NoError(t, err)
		code.Interval = 1 // the first poll is never too fast
		require.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, code.UserCode, "RFC 8628 6.1")
		require.Equal(t, s.Origin+"/device", code.VerificationURI)

		browser := formbrowser.New(t)
		page := browser.Get(code.VerificationURIComplete)
		page = page.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
			url.Values{"password": {password}})
		require.Contains(t, page.Text(), "Command line",
			"the approval names the application, also with verification_uri_complete")
		require.Contains(t, page.Text(), code.UserCode)
		page.Submit("Allow", nil)

		tokens, err := config.DeviceAccessToken(t.Context(), code)
		require.NoError(t, err)
		claims := claimsOf(t, tokens.AccessToken)
		require.Equal(t, "acme", claims["tenant_slug"])
		require.NotContains(t, claims, "sid", "a device's grant outlives the session")

		_, err = config.DeviceAccessToken(t.Context(), code)
		requireOAuthError(t, err, 400, "invalid_grant")
	})
}

// TestAPersonWhoHasToSignInFirstComesBackToTheirDevice guesses more user codes than all people who are not signed in
// may together (RFC 8628 5.1). The device page then asks for a sign-in, and the person goes on with their code after it.
func TestAPersonWhoHasToSignInFirstComesBackToTheirDevice(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		config := oauth2.Config{ClientID: "native", Scopes: []string{"openid", "profile"}, Endpoint: oauth2.Endpoint{
			DeviceAuthURL: s.url("/oauth/device/authorize"), TokenURL: s.url("/oauth/token"),
			AuthStyle: oauth2.AuthStyleInParams,
		}}
		code, err := config.DeviceAuth(t.Context())
		require.NoError(t, err)
		code.Interval = 1

		for range 2 { // the second is the one too many
			_, err = s.database(t).Exec(t.Context(), "test.guessed", `UPDATE limits SET failures = 12800000`)
			require.NoError(t, err)
			formbrowser.New(t).Get(s.Origin + "/device?user_code=BBBB-BBBB")
		}

		browser := formbrowser.New(t)
		page := browser.Get(code.VerificationURI).Submit("Continue", url.Values{"user_code": {code.UserCode}})
		require.Equal(t, http.StatusForbidden, page.Status)
		page = page.Follow("Sign in")
		require.NotContains(t, page.URL.String(), code.UserCode)
		require.Contains(t, page.Text(), "to continue to your device")

		page = page.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
			url.Values{"password": {password}})
		require.Equal(t, "/device", page.URL.Path)
		require.Contains(t, page.Text(), code.UserCode)
		page.Submit("Allow", nil)

		_, err = config.DeviceAccessToken(t.Context(), code)
		require.NoError(t, err)
	})
}
