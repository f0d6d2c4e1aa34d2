package oauth_test

import (
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestMatchRedirectURI(t *testing.T) {
	registered := []string{
		"https://app.test/cb?x=1", "http://127.0.0.1/cb", "http://[::1]:8000/cb",
		"http://localhost/cb", "com.example.app:/cb",
	}
	for name, tt := range map[string]struct {
		requested         string
		native, localhost bool
		want              bool
	}{
		"the registered string":    {requested: "https://app.test/cb?x=1", want: true},
		"another path":             {requested: "https://app.test/cb/x?x=1"},
		"a trailing slash":         {requested: "https://app.test/cb/?x=1"},
		"another query":            {requested: "https://app.test/cb?x=2"},
		"the host in capitals":     {requested: "https://APP.test/cb?x=1"},
		"an explicit default port": {requested: "https://app.test:443/cb?x=1"},
		"a fragment":               {requested: "https://app.test/cb?x=1#f"},
		"an encoded letter":        {requested: "https://app.test/%63b?x=1"},
		"empty":                    {requested: ""},
		"any port on IPv4 loopback, native": {
			requested: "http://127.0.0.1:51004/cb",
			native:    true,
			want:      true,
		},
		"any port on IPv6 loopback, native":          {requested: "http://[::1]:51004/cb", native: true, want: true},
		"no port where one is registered, native":    {requested: "http://[::1]/cb", native: true, want: true},
		"any port, but not native":                   {requested: "http://127.0.0.1:51004/cb"},
		"the registered loopback string, not native": {requested: "http://127.0.0.1/cb", want: true},
		"another loopback address":                   {requested: "http://127.0.0.2:51004/cb", native: true},
		"another path on loopback":                   {requested: "http://127.0.0.1:51004/other", native: true},
		"an added query on loopback":                 {requested: "http://127.0.0.1:51004/cb?x", native: true},
		"https on loopback":                          {requested: "https://127.0.0.1:51004/cb", native: true},
		"localhost without the opt-in":               {requested: "http://localhost:51004/cb", native: true},
		"localhost with the opt-in": {
			requested: "http://localhost:51004/cb",
			native:    true,
			localhost: true,
			want:      true,
		},
		"localhost, opted in, but not native": {requested: "http://localhost:51004/cb", localhost: true},
		"user information before loopback":    {requested: "http://x@127.0.0.1:51004/cb", native: true},
		"loopback as user information":        {requested: "http://127.0.0.1:80@evil.test/cb", native: true},
		"loopback as a prefix of a name":      {requested: "http://127.0.0.1.evil.test:80/cb", native: true},
		"a backslash after the port":          {requested: `http://127.0.0.1:80\@evil.test/cb`, native: true},
		"an empty port":                       {requested: "http://127.0.0.1:/cb", native: true},
		"a port that isn't a number":          {requested: "http://127.0.0.1:8a/cb", native: true},
		"a port beyond the range":             {requested: "http://127.0.0.1:65536/cb", native: true},
		"an unclosed bracket":                 {requested: "http://[::1:80/cb", native: true},
		"IPv4 in brackets":                    {requested: "http://[127.0.0.1]:80/cb", native: true},
		"a private scheme, to the letter":     {requested: "com.example.app:/cb", native: true, want: true},
		"a private scheme, other path":        {requested: "com.example.app:/cb2", native: true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, oauth.MatchRedirectURI(registered, tt.requested, tt.native, tt.localhost),
				"RFC 9700 2.1, RFC 8252 7.3")
		})
	}
}

// RFC 6749 3.1.2, RFC 8252 7, RFC 9700 2.1.
func TestValidateRedirectURI(t *testing.T) {
	for name, tt := range map[string]struct {
		uri    string
		native bool
		want   error
	}{
		"https":                             {uri: "https://app.test/cb"},
		"https with a query":                {uri: "https://app.test/cb?x=1&y=2"},
		"http on IPv4 loopback":             {uri: "http://127.0.0.1:8080/cb"},
		"http on IPv6 loopback":             {uri: "http://[::1]/cb"},
		"http on localhost":                 {uri: "http://localhost:3000/cb"},
		"a private scheme of a native app":  {uri: "com.example.app:/cb", native: true},
		"a private scheme of a web app":     {uri: "com.example.app:/cb", want: oauth.ErrRedirectPrivate},
		"a private scheme without a period": {uri: "myapp://cb", native: true, want: oauth.ErrRedirectPrivate},
		"http elsewhere":                    {uri: "http://app.test/cb", want: oauth.ErrRedirectHTTP},
		"http on a name that looks like it": {uri: "http://127.0.0.1.evil.test/cb", want: oauth.ErrRedirectHTTP},
		"http on a private network":         {uri: "http://10.0.0.1/cb", want: oauth.ErrRedirectHTTP},
		"a fragment":                        {uri: "https://app.test/cb#x", want: oauth.ErrRedirectFragment},
		"an empty fragment":                 {uri: "https://app.test/cb#", want: oauth.ErrRedirectFragment},
		"a wildcard host":                   {uri: "https://*.app.test/cb", want: oauth.ErrRedirectWildcard},
		"a wildcard path":                   {uri: "https://app.test/*", want: oauth.ErrRedirectWildcard},
		"user information":                  {uri: "https://me@app.test/cb", want: oauth.ErrRedirectUser},
		"javascript":                        {uri: "javascript:alert(1)", native: true, want: oauth.ErrRedirectScheme},
		"javascript in capitals":            {uri: "JavaScript:alert(1)", native: true, want: oauth.ErrRedirectScheme},
		"data":                              {uri: "data:text/html,x", native: true, want: oauth.ErrRedirectScheme},
		"a file":                            {uri: "file:///etc/passwd", native: true, want: oauth.ErrRedirectScheme},
		"relative":                          {uri: "/cb", want: oauth.ErrRedirectRelative},
		"without a scheme":                  {uri: "//app.test/cb", want: oauth.ErrRedirectRelative},
		"https without a host":              {uri: "https:///cb", want: oauth.ErrRedirectRelative},
		"https with only a port":            {uri: "https://:443/cb", want: oauth.ErrRedirectRelative},
		"opaque https":                      {uri: "https:app.test", want: oauth.ErrRedirectRelative},
		"a space":                           {uri: "https://app.test/c b", want: oauth.ErrRedirectRelative},
		"a backslash":                       {uri: `https://app.test/\evil.test`, want: oauth.ErrRedirectRelative},
		"a letter beyond ASCII":             {uri: "https://app.test/é", want: oauth.ErrRedirectRelative},
		"a line break": {
			uri:  "https://app.test/\r\nSet-Cookie:x",
			want: oauth.ErrRedirectRelative,
		},
		"empty": {uri: "", want: oauth.ErrRedirectRelative},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, oauth.ValidateRedirectURI(tt.uri, tt.native), tt.want)
		})
	}
}

func TestOnlyHTTPSAwayFromLoopbackProvesWhoAnswers(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://app.test/cb":         true,
		"https://127.0.0.1/cb":        false, // RFC 8252 8.6
		"https://[::1]:8443/cb":       false,
		"https://localhost/cb":        false,
		"http://app.test/cb":          false,
		"com.example.app:/cb":         false,
		"https://127.0.0.1.app.test/": true,
		"::":                          false,
	} {
		t.Run(uri, func(t *testing.T) { require.Equal(t, want, oauth.IsWebRedirect(uri)) })
	}
}

// Whatever matches without being registered to the letter must be loopback
// where registered is, with the same path and query.
func FuzzMatchRedirectURI(f *testing.F) {
	registered := []string{"http://127.0.0.1/cb", "http://[::1]:8000/cb?x=1", "https://app.test/cb"}

	for _, s := range []string{
		"http://127.0.0.1:80/cb", "http://[::1]/cb?x=1", "http://127.0.0.1:80@evil/cb",
		"http://[::1:80/cb", "https://app.test:1/cb",
	} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, requested string) {
		if !oauth.MatchRedirectURI(registered, requested, true, false) || requested == registered[0] ||
			requested == registered[1] || requested == registered[2] {
			return
		}

		u, err := url.Parse(requested)
		if err != nil {
			t.Fatalf("matched, but isn't a URL: %q", requested)
		}

		addr, err := netip.ParseAddr(u.Hostname())
		if err != nil || !addr.IsLoopback() || u.Scheme != "http" || u.User != nil || u.Path != "/cb" ||
			u.Fragment != "" {
			t.Fatalf("matched away from loopback: %q", requested)
		}
	})
}

func FuzzValidateRedirectURI(f *testing.F) {
	for _, s := range []string{
		"https://app.test/cb", "http://127.0.0.1/cb", "javascript:alert(1)",
		"com.example.app:/cb", "http://[::1%25eth0]/",
	} {
		f.Add(s, true)
	}

	f.Fuzz(func(t *testing.T, uri string, native bool) {
		if oauth.ValidateRedirectURI(uri, native) != nil {
			return
		}

		u, err := url.Parse(uri)
		if err != nil || u.Scheme == "" || u.Scheme == "javascript" || u.Scheme == "data" || u.User != nil {
			t.Fatalf("passed: %q", uri)
		}

		if u.Scheme == "http" && u.Hostname() != "localhost" {
			if addr, err := netip.ParseAddr(u.Hostname()); err != nil || !addr.IsLoopback() {
				t.Fatalf("http away from loopback passed: %q", uri)
			}
		}
	})
}
