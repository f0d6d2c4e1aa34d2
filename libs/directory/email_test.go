package directory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// UTS 46 for domains, NFC for local parts: an address is the same however it was
// typed.
func TestAnAddressHasOneForm(t *testing.T) {
	for typed, want := range map[string]string{
		"ada@acme.test":                  "ada@acme.test",
		"\tAda@ACME.test\n":              "ada@acme.test",
		"ada@b\u00fccher.test":           "ada@xn--bcher-kva.test",
		"ada@bu\u0308cher.test":          "ada@xn--bcher-kva.test",
		"ADA@B\u00dcCHER.TEST":           "ada@xn--bcher-kva.test",
		"ada@xn--bcher-kva.test":         "ada@xn--bcher-kva.test",
		"ada@b\u00fccher\u3002test":      "ada@xn--bcher-kva.test",
		"ada@stra\u00dfe.test":           "ada@xn--strae-oqa.test",
		"zo\u0308e@acme.test":            "z\u00f6e@acme.test",
		"Z\u00d6E@acme.test":             "z\u00f6e@acme.test",
		"o'hara+tag@acme.test":           "o'hara+tag@acme.test",
		"root@localhost":                 "root@localhost",
		"ada@my_host.test":               "ada@my_host.test",
		"\u0430\u0434\u0430@\u043f.test": "\u0430\u0434\u0430@xn--o1a.test",
	} {
		got, ok := directory.ParseEmail(typed)
		require.True(t, ok, "%q", typed)
		require.Equal(t, want, got)
		again, ok := directory.ParseEmail(got)
		require.True(t, ok)
		require.Equal(t, got, again)
	}

	for _, typed := range []string{
		"", "ada", "@acme.test", "ada@", "ada@acme.test.", "a b@acme.test", `"a b"@acme.test`,
		"a..b@acme.test", "ada@[127.0.0.1]",
		"ada@xn--\u00fc.test", "ada@xn--0.test", "ada@a\u200bcme.test", "ada@acme..test", "ada\xff@acme.test",
	} {
		_, ok := directory.ParseEmail(typed)
		require.False(t, ok, "%q", typed)
	}

	require.Equal(t, "z\u00f6e@b\u00fccher.test", directory.ReadableEmail("z\u00f6e@xn--bcher-kva.test"))
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"ada@acme.test", "ada@b\u00fccher.test", "\u0130@x", "a@xn--0", "a@\u3002"} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, typed string) {
		email, ok := directory.ParseEmail(typed)
		if !ok {
			return
		}

		again, ok := directory.ParseEmail(email)
		require.True(t, ok)
		require.Equal(t, email, again)
		require.Contains(t, directory.EmailSpellings(email), email)
	})
}
