package clientauth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func basic(plain string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(plain))
}

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		header     []string
		id, secret string
		method     clientauth.Method
		wantID     string
		wantSecret string
		code       oauth.Code // of the refusal
		challenge  bool
	}{
		"the name alone (RFC 7591 2)": {id: "app", method: clientauth.None, wantID: "app"},
		"name and secret in the form": {
			id:         "app",
			secret:     "s",
			method:     clientauth.Post,
			wantID:     "app",
			wantSecret: "s",
		},
		"Basic (RFC 6749 2.3.1)": {
			header:     []string{basic("app:s")},
			method:     clientauth.Basic,
			wantID:     "app",
			wantSecret: "s",
		},
		"Basic in other capitals (RFC 7235 2.1)": {
			header:     []string{"bAsIc" + basic("app:s")[5:]},
			method:     clientauth.Basic,
			wantID:     "app",
			wantSecret: "s",
		},
		"both halves of Basic are form-decoded": {
			header:     []string{basic("my+app%3A1:a%2Bb+c%3A")},
			method:     clientauth.Basic,
			wantID:     "my app:1",
			wantSecret: "a+b c:",
		},
		"the secret may hold colons": {
			header:     []string{basic("app:a:b:c")},
			method:     clientauth.Basic,
			wantID:     "app",
			wantSecret: "a:b:c",
		},
		"a secret that does not decode is raw": {
			header:     []string{basic("app:100%")},
			method:     clientauth.Basic,
			wantID:     "app",
			wantSecret: "100%",
		},
		"Basic with an empty secret": {
			header: []string{basic("app:")},
			method: clientauth.Basic,
			wantID: "app",
		},
		"Basic and the same name in the form": {
			header:     []string{basic("app:s")},
			id:         "app",
			method:     clientauth.Basic,
			wantID:     "app",
			wantSecret: "s",
		},
		"an empty header counts as absent": {
			header: []string{" "},
			id:     "app",
			method: clientauth.None,
			wantID: "app",
		},
		"Basic and a secret in the form": {
			header: []string{basic("app:s")},
			id:     "app",
			secret: "s",
			code:   oauth.InvalidRequest,
		},
		"empty Basic and a secret in the form": {
			header: []string{basic("app:")},
			secret: "s",
			code:   oauth.InvalidRequest,
		},
		"Basic and another name in the form": {
			header: []string{basic("app:s")},
			id:     "other",
			code:   oauth.InvalidRequest,
		},
		"two headers": {
			header: []string{basic("app:s"), basic("app:s")},
			code:   oauth.InvalidRequest,
		},
		"no client at all (RFC 6749 5.2)": {code: oauth.InvalidClient},
		"a secret without a name":         {secret: "s", code: oauth.InvalidClient},
		"a name with a line break":        {id: "a\nb", code: oauth.InvalidClient},
		"a name beyond ASCII":             {id: "äpp", code: oauth.InvalidClient},
		"a name longer than any":          {id: strings.Repeat("a", 256), code: oauth.InvalidClient},
		"Basic that isn't base64": {
			header:    []string{"Basic ???"},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic without padding": {
			header:    []string{"Basic YXBwOnM6cw"},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic without a colon": {
			header:    []string{basic("app")},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic without a name": {
			header:    []string{basic(":s")},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic with nothing": {
			header:    []string{"Basic"},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic with a NUL in the name": {
			header:    []string{basic("a\x00b:s")},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic with an encoded NUL in the name": {
			header:    []string{basic("a%00b:s")},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Basic with a name that does not decode": {
			header:    []string{basic("a%zz:s")},
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"Bearer doesn't name an application": {
			header:    []string{"Bearer abc"},
			id:        "app",
			code:      oauth.InvalidClient,
			challenge: true,
		},
		"malformed Basic and a secret in the form": {
			header:    []string{"Basic ???"},
			id:        "app",
			secret:    "s",
			code:      oauth.InvalidClient,
			challenge: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := clientauth.Parse(tt.header, tt.id, tt.secret)
			if tt.code == "" {
				require.NoError(t, err)
				require.Equal(t, tt.method, got.Method)
				require.Equal(t, tt.wantID, got.ClientID)
				require.Equal(t, tt.wantSecret, got.Secret)
				return
			}

			require.Zero(t, got)
			requireRefusal(t, err, tt.code, tt.challenge)
		})
	}
}

// requireRefusal checks that an error is a *clientauth.Error around the
// *oauth.Error that the edge looks for.
func requireRefusal(t *testing.T, err error, code oauth.Code, challenge bool) {
	t.Helper()
	var refusal *clientauth.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, challenge, refusal.Challenge, "RFC 6749 5.2")
	var wire *oauth.Error
	require.ErrorAs(t, err, &wire)
	require.Equal(t, code, wire.Code)
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c, err := clientauth.Parse([]string{basic("app:hush")}, "", "")
	require.NoError(t, err)
	for _, format := range []string{"%v", "%+v", "%s", "%#v"} {
		require.NotContains(t, fmt.Sprintf(format, c), "hush")
	}
	require.NotContains(t, c.LogValue().String(), "hush")
}

func FuzzParse(f *testing.F) {
	f.Add(basic("app:s"), "", "")
	f.Add(basic("a%3Ab:%2B+"), "a:b", "")
	f.Add("Basic ???", "app", "s")
	f.Add("", "app", "s")
	f.Fuzz(func(t *testing.T, header, id, secret string) {
		c, err := clientauth.Parse([]string{header}, id, secret)
		if err != nil {
			var refusal *clientauth.Error
			if !errors.As(err, &refusal) || c != (clientauth.Credentials{}) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}

		if c.ClientID == "" || strings.ContainsFunc(c.ClientID, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Fatalf("a name no database should see: %q", c.ClientID)
		}

		if (c.Method == clientauth.None && c.Secret != "") || (c.Method == clientauth.Post && c.Secret == "") {
			t.Fatalf("method %s does not fit", c.Method)
		}

		if (id != "" && id != c.ClientID) || (c.Method == clientauth.Basic && secret != "") {
			t.Fatal("two methods or two names at once passed")
		}
	})
}
