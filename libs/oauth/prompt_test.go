package oauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestParsePrompt(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want string
		fail bool
	}{
		"absent":                             {in: "", want: ""},
		"one value":                          {in: "login", want: "login"},
		"two values keep their order":        {in: "consent login", want: "consent login"},
		"a value sent twice counts once":     {in: "login login", want: "login"},
		"more than one space separates":      {in: " login  consent ", want: "login consent"},
		"none alone":                         {in: "none", want: "none"},
		"none with another is refused":       {in: "none login", fail: true},
		"none after another is refused":      {in: "consent none", fail: true},
		"an unknown value is refused":        {in: "create", fail: true},
		"values are case sensitive":          {in: "Login", fail: true},
		"an unknown among known is refused":  {in: "login x", fail: true},
		"select_account is known":            {in: "select_account", want: "select_account"},
		"none twice is still none by itself": {in: "none none", want: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := oauth.ParsePrompt(tt.in)
			if tt.fail {
				require.NotNil(t, err)
				require.Equal(t, oauth.InvalidRequest, err.Code, "OpenID Connect Core 3.1.2.6")
				return
			}

			require.Nil(t, err)
			require.Equal(t, tt.want, got.String())
		})
	}
}

func FuzzParsePrompt(f *testing.F) {
	f.Add("none")
	f.Add("login consent")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := oauth.ParsePrompt(in)
		if err != nil {
			return
		}
		if got.Has(oauth.PromptNone) && len(got) != 1 {
			t.Fatalf("none with another value passed: %q", in)
		}

		again, err := oauth.ParsePrompt(got.String())
		if err != nil || again.String() != got.String() {
			t.Fatalf("%q does not survive a round trip", in)
		}
	})
}
