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
}

// Unicode Technical Standard 39 5.2: what mixes scripts can be taken for another name, so it stays as it is stored.
func TestAnAddressIsShownAsPeopleWriteItUnlessItMixesScripts(t *testing.T) {
	for typed, want := range map[string]string{
		"z\u00f6e@b\u00fccher.test":         "z\u00f6e@b\u00fccher.test",
		"ada@acme.test":                     "ada@acme.test",
		"ada@\u0430\u043a\u043c\u0435.test": "ada@\u0430\u043a\u043c\u0435.test", // Cyrillic alone, beside a Latin label
		"ada@\u4f8b\u3048.test":             "ada@\u4f8b\u3048.test",             // Japanese is written in several
		"ada@\u0430cme.test":                "ada@xn--cme-5cd.test",              // a Cyrillic a
		"ada@acm\u0435-shop.test":           "ada@xn--acm-shop-e8g.test",
		"ada@\u03b1cme.b\u00fccher.test":    "ada@xn--cme-nxc.xn--bcher-kva.test", // a Greek alpha
	} {
		stored, ok := directory.ParseEmail(typed)
		require.True(t, ok, typed)
		readable := directory.ReadableEmail(stored)
		require.Equal(t, want, readable)
		again, ok := directory.ParseEmail(readable)
		require.True(t, ok)
		require.Equal(t, stored, again, "what is shown may be typed")
	}

	require.Equal(t, "no address", directory.ReadableEmail("no address"))
	require.Contains(t, directory.EmailSpellings("ada@xn--cme-5cd.test"), "ada@\u0430cme.test",
		"earlier versions stored what is not shown any more")
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
