package domain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// RFC 5321 2.4: in practice, mailboxes are not told apart by case.
func TestAddressesAreKeptInLowerCaseWithoutSurroundingSpace(t *testing.T) {
	for typed, want := range map[string]string{
		"ada@acme.test":             "ada@acme.test",
		"\tAda.Lovelace@ACME.test ": "ada.lovelace@acme.test", //nolint:gocritic // the space is the case
		"ada+tag@acme.test":         "ada+tag@acme.test",
		"o'hara@acme.test":          "o'hara@acme.test",
		"ÄDA@müller.test":           "äda@xn--mller-kva.test",
		"root@localhost":            "root@localhost",
	} {
		got, ok := domain.ParseEmail(typed)
		require.True(t, ok, typed)
		require.Equal(t, want, got)
	}
}

// RFC 5321 4.1.2 and 4.5.3.1.3.
func TestWhatCannotBeAnAddressIsRefused(t *testing.T) {
	for _, typed := range []string{
		"", " ", "ada", "@", "ada@", "@acme.test", "ada@@acme.test", "a@b@c",
		"ada lovelace@acme.test", "ada@acme..test",
		"ada@.test", "ada@acme.", "ada@acme.test\nbcc: x@y", "ada@acme/test",
		"ada\x7f@acme.test", "ada\u202e@acme.test",
		strings.Repeat("a", 250) + "@b.co", "ada@acme\u200b.test",
	} {
		_, ok := domain.ParseEmail(typed)
		require.False(t, ok, "%q", typed)
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"ada@acme.test", " A@B ", "İ@x", "\xff@x", "a@b@c"} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, typed string) {
		email, ok := domain.ParseEmail(typed)
		if !ok {
			require.Empty(t, email)
			return
		}

		require.True(t, utf8.ValidString(email))
		require.LessOrEqual(t, len(email), 254)
		require.NotEmpty(t, domain.EmailDomain(email))
		again, ok := domain.ParseEmail(email)
		require.True(t, ok, "what was accepted is accepted again")
		require.Equal(t, email, again)
	})
}
