package cookie_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
)

func secret(t *testing.T) string {
	t.Helper()
	s, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	return s
}

func TestCookiesOnHTTPSCarryTheHostPrefix(t *testing.T) {
	jar, value, w := cookie.Jar{Secure: true}, secret(t), httptest.NewRecorder()
	jar.SetBrowser(w, value)
	jar.SetSession(w, value, 720*time.Hour)

	got := w.Result().Cookies()
	require.Equal(t, "__Host-platform_browser", got[0].Name)
	require.Zero(t, got[0].MaxAge)
	require.Equal(t, "__Host-platform_session", got[1].Name)
	require.Equal(t, 720*3600, got[1].MaxAge)

	for _, c := range got {
		require.True(t, c.Secure, c.Name)
		require.True(t, c.HttpOnly, c.Name)
		require.Equal(t, "/", c.Path)
		require.Empty(t, c.Domain)
		require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	}
}

func TestCookiesOnPlainHTTPHaveNoPrefixAndAreNotSecure(t *testing.T) {
	jar, w := cookie.Jar{}, httptest.NewRecorder()
	jar.SetBrowser(w, secret(t))
	jar.ClearSession(w)

	got := w.Result().Cookies()
	require.Equal(t, "platform_browser", got[0].Name)
	require.False(t, got[0].Secure)
	require.Equal(t, "platform_session", got[1].Name)
	require.Negative(t, got[1].MaxAge)
}

func TestReadingGivesBackWhatWasSetAndNothingElse(t *testing.T) {
	value := secret(t)
	for name, tc := range map[string]struct{ header, want string }{
		"a value we set":                  {"platform_session=" + value, value},
		"no cookie":                       {"", ""},
		"a value that is too short":       {"platform_session=abc", ""},
		"a value outside the alphabet":    {"platform_session=" + strings.Repeat("%", 43), ""},
		"a value with padding":            {"platform_session=" + value[:42] + "=", ""},
		"a value of 4 KiB":                {"platform_session=" + strings.Repeat("a", 4096), ""},
		"the other cookie only":           {"platform_browser=" + value, ""},
		"the prefixed name on plain http": {"__Host-platform_session=" + value, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Cookie", tc.header)
			require.Equal(t, tc.want, cookie.Jar{}.Session(r))
		})
	}
}

func TestAnUnprefixedCookieCountsForNothingOnHTTPS(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "platform_session="+secret(t)+"; platform_browser="+secret(t))
	require.Empty(t, cookie.Jar{Secure: true}.Session(r))
	require.Empty(t, cookie.Jar{Secure: true}.Browser(r))
}

func TestAMissingCookieMatchesNoStoredHash(t *testing.T) {
	value := secret(t)
	require.Equal(t, oauth.HashSecret(value), cookie.Hash(value))
	require.Nil(t, cookie.Hash(""))
}

func TestACSRFTokenIsBoundToBrowserAndPurpose(t *testing.T) {
	browser := secret(t)
	token := cookie.CSRFToken(browser, "flow-1")
	require.Len(t, token, 43)
	require.True(t, cookie.CheckCSRF(browser, "flow-1", token))
	require.False(t, cookie.CheckCSRF(browser, "flow-2", token), "another flow")
	require.False(t, cookie.CheckCSRF(secret(t), "flow-1", token), "another browser")
	require.False(t, cookie.CheckCSRF(browser, "flow-1", ""), "no token")
	require.False(t, cookie.CheckCSRF("", "flow-1", cookie.CSRFToken("", "flow-1")), "no browser cookie")
	require.False(t, cookie.CheckCSRF("", "flow-1", ""), "neither")
}

func TestTheCookiesOfABrowserWithSeveralPeople(t *testing.T) {
	jar, value, w := cookie.Jar{Secure: true}, secret(t), httptest.NewRecorder()
	jar.SetAccounts(w, value, 720*time.Hour)
	jar.SetDevice(w, "nonce.entry")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	lifetimes := map[string]int{}
	for _, c := range w.Result().Cookies() {
		lifetimes[c.Name] = c.MaxAge
		require.True(t, c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode && c.Path == "/", c.Name)
		r.AddCookie(c)
	}

	require.Equal(t,
		map[string]int{"__Host-platform_accounts": 720 * 3600, "__Host-platform_device": 365 * 24 * 3600}, lifetimes)
	require.Equal(t, value, jar.Accounts(r))
	require.Equal(t, "nonce.entry", jar.Device(r))
	require.Empty(t, cookie.Jar{}.Device(r), "the prefix is part of the name")

	r = httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-platform_device", Value: strings.Repeat("x", 513)})
	require.Empty(t, jar.Device(r), "longer than any of ours")
}
