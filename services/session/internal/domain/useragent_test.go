package domain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

func TestBrowsersAndSystemsAreNamed(t *testing.T) {
	for header, want := range map[string][2]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36 Edg/125.0.0.0": {
			"Edge", "Windows",
		},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36": {
			"Chrome", "macOS",
		},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15": {
			"Safari", "macOS",
		},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/125.0 Mobile/15E148 Safari/604.1": {
			"Chrome", "iPhone",
		},
		"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36": {
			"Samsung Internet", "Android",
		},
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36": {
			"Chrome", "ChromeOS",
		},
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0": {
			"Firefox", "Linux",
		},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0": {
			"Opera", "Windows",
		},
		"curl/8.7.1": {"curl", ""},
		"":           {"", ""},
		"<script>":   {"", ""},
	} {
		browser, system := domain.DescribeUserAgent(header)
		require.Equal(t, want, [2]string{browser, system}, header)
	}
}

func FuzzCleanUserAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64)")
	f.Add("a\x00\r\n\xff\u202e")
	f.Add(strings.Repeat("ä", 300))
	f.Fuzz(func(t *testing.T, header string) {
		clean := domain.CleanUserAgent(header)
		require.True(t, utf8.ValidString(clean))
		require.LessOrEqual(t, len(clean), 512)
		require.NotContains(t, clean, "\x00")
		require.Equal(t, clean, domain.CleanUserAgent(clean))
	})
}

// NIST SP 800-63B 5.1.1.2.
func TestNewPasswordsAreJudged(t *testing.T) {
	for name, c := range map[string]struct {
		password, repeated string
		want               domain.PasswordProblem
	}{
		"eight characters do":                   {"achtung!", "achtung!", domain.PasswordFine},
		"eight characters of more bytes too":    {"пароль12", "пароль12", domain.PasswordFine},
		"seven characters of many bytes do not": {"ÄÖÜäöüß", "ÄÖÜäöüß", domain.PasswordShort},
		"nothing":                               {"", "", domain.PasswordShort},
		"the longest": {
			strings.Repeat("x", 1024), strings.Repeat("x", 1024), domain.PasswordFine,
		},
		"too long": {
			strings.Repeat("x", 1025), strings.Repeat("x", 1025), domain.PasswordLong,
		},
		"the address in capitals": {" ADA@acme.test", " ADA@acme.test", domain.PasswordEmail},
		"two different ones":      {"password one", "password two", domain.PasswordRepeated},
	} {
		require.Equal(t, c.want, domain.CheckNewPassword(c.password, c.repeated, "ada@acme.test"), name)
	}
}
