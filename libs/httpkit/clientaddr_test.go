package httpkit

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestClientAddrIsTheRightmostUntrustedHop(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
		netip.MustParsePrefix("::ffff:192.0.2.0/120"),
	}
	tests := map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                     {"198.51.100.1:1234", nil, "198.51.100.1"},
		"an untrusted peer is ignored": {"198.51.100.1:1234", []string{"203.0.113.9"}, "198.51.100.1"},
		"one proxy":                    {"10.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"what the client wrote itself": {"10.0.0.1:1234", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		"two proxies": {
			"10.0.0.1:1234", []string{"1.1.1.1, 203.0.113.9, 10.2.2.2"}, "203.0.113.9",
		},
		"two header lines":     {"10.0.0.1:1234", []string{"203.0.113.9", "10.2.2.2"}, "203.0.113.9"},
		"a trusted peer alone": {"10.0.0.1:1234", nil, "10.0.0.1"},
		"only proxies":         {"10.0.0.1:1234", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"rubbish ends the search": {
			"10.0.0.1:1234", []string{"203.0.113.9, unknown, 10.2.2.2"}, "10.2.2.2",
		},
		"an empty entry ends the search":       {"10.0.0.1:1234", []string{"203.0.113.9,"}, "10.0.0.1"},
		"an entry with its port":               {"10.0.0.1:1234", []string{"203.0.113.9:5555"}, "203.0.113.9"},
		"IPv6":                                 {"[fd00::1]:1234", []string{"2001:db8::9"}, "2001:db8::9"},
		"IPv6 with brackets and port":          {"[fd00::1]:1234", []string{"[2001:db8::9]:5555"}, "2001:db8::9"},
		"IPv6 with brackets":                   {"[fd00::1]:1234", []string{"[2001:db8::9]"}, "2001:db8::9"},
		"an IPv4-mapped peer":                  {"[::ffff:10.0.0.1]:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"an IPv4-mapped entry":                 {"10.0.0.1:1234", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"an IPv4-mapped prefix":                {"192.0.2.5:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"a zone is dropped":                    {"[fe80::1%eth0]:1234", nil, "fe80::1"},
		"a peer without an address (a socket)": {"@", []string{"203.0.113.9"}, "invalid IP"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got netip.Addr
			h := newTestHandler(t, map[string]gin.HandlerFunc{"query": func(c *gin.Context) { got = ClientAddr(c) }},
				func(o *Options) { o.TrustedProxies = proxies })
			r := httptest.NewRequest(http.MethodGet, "/query", nil)
			r.RemoteAddr = test.peer
			r.Header = http.Header{"X-Forwarded-For": test.forwarded}
			send(h, r)
			require.Equal(t, test.want, got.String())
		})
	}
}

func TestAPageKnowsThatAForwardedAddressWasNotBelieved(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		peer, forwarded string
		want            bool
	}{
		"no header":              {"198.51.100.1:1234", "", false},
		"a peer that is trusted": {"10.0.0.1:1234", "203.0.113.9", false},
		"even where all are":     {"10.0.0.1:1234", "10.0.0.1", false},
		"a peer that is not":     {"198.51.100.1:1234", "203.0.113.9", true},
	} {
		var shown []Problem
		h := newTestHandler(t, map[string]gin.HandlerFunc{"flow": failWith(errors.New("no"))}, func(o *Options) {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			o.ErrorPage = func(_ http.ResponseWriter, _ *http.Request, p Problem) { shown = append(shown, p) }
		})
		for _, path := range []string{"/flows/a", "/flows"} {
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			r.RemoteAddr = test.peer
			r.Header.Set("Accept", browser)
			r.Header.Set("X-Forwarded-For", test.forwarded)
			send(h, r)
		}

		require.Len(t, shown, 2, name)

		for _, p := range shown {
			require.Equal(t, test.want, p.ForwardedIgnored, name)
		}
	}
}
