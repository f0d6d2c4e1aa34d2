package oauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestParseScopes(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want string
		ok   bool
	}{
		"absent":                    {"", "", true},
		"one":                       {"openid", "openid", true},
		"several keep their order":  {"b a c", "b a c", true},
		"a doubled one counts once": {"a b a", "a b", true},
		"more spaces than one":      {"  a   b ", "a b", true},
		"URLs and colons are fine": {
			"https://api.test/read api:write", "https://api.test/read api:write", true,
		},
		"a quote is outside the grammar":       {`a "b"`, "", false},
		"a backslash is outside the grammar":   {`a\b`, "", false},
		"a tab does not separate":              {"a\tb", "", false},
		"a line break does not separate":       {"a\nb", "", false},
		"letters beyond ASCII are outside":     {"é", "", false},
		"a NUL is outside":                     {"a\x00", "", false},
		"bytes that aren't UTF-8 are outside":  {"a\xff", "", false},
		"a no-break space does not separate":   {"a\u00a0b", "", false},
		"the ends of the range are inside":     {"! ~ # [ ]", "! ~ # [ ]", true},
		"scopes are case sensitive and differ": {"A a", "A a", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := oauth.ParseScopes(tt.in)
			require.Equal(t, tt.ok, ok, "RFC 6749 3.3")
			require.Equal(t, tt.want, got.String())
		})
	}
}

func TestScopeSets(t *testing.T) {
	s := oauth.Scopes{"openid", "email", "api:read"}
	require.True(t, s.Has("email"))
	require.False(t, s.Has("Email"))
	require.True(t, s.Contains())
	require.True(t, s.Contains("api:read", "openid"))
	require.False(t, s.Contains("api:read", "api:write"))
	require.Equal(t, oauth.Scopes{"email", "api:read"},
		s.Only(oauth.Scopes{"api:read", "email", "x"}), "in the order of s")
	require.Equal(t, oauth.Scopes{"api:read"}, s.Without("openid", "email"))
	require.Equal(t, oauth.Scopes{"openid", "email", "api:read", "x"}, s.Union(oauth.Scopes{"email", "x"}))
	require.Equal(t, oauth.Scopes{"openid", "email", "api:read"}, s, "none of them changes the original")
	require.Empty(t, oauth.Scopes(nil).Only(s))
}

func FuzzParseScopes(f *testing.F) {
	f.Add("openid profile")
	f.Add("a\x00 b")
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := oauth.ParseScopes(in)
		if !ok {
			return
		}

		again, ok := oauth.ParseScopes(got.String())
		if !ok || again.String() != got.String() {
			t.Fatalf("%q does not survive a round trip", in)
		}

		for i, s := range got {
			if s == "" || got[:i].Has(s) {
				t.Fatalf("an empty or doubled scope in %q", in)
			}
		}
	})
}
