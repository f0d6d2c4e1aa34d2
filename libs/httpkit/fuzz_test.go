package httpkit

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// requireAgreement compares what parseParams accepts with net/url's own parser.
func requireAgreement(t *testing.T, raw string, p *Params) {
	t.Helper()

	for _, pair := range p.pairs {
		require.True(t, clean(pair.name) && clean(pair.value))
	}

	if strings.Contains(raw, ";") {
		return // net/url refuses semicolons, for us they are characters
	}

	values, err := url.ParseQuery(raw)
	require.NoError(t, err)
	n := 0
	for name, want := range values {
		var got []string
		for _, pair := range p.pairs {
			if pair.name == name {
				got = append(got, pair.value)
			}
		}

		require.Equal(t, want, got)
		sent := slices.DeleteFunc(slices.Clone(want), func(v string) bool { return v == "" })
		require.Equal(t, strings.Join(sent[:min(1, len(sent))], ""), p.Get(name))
		require.Equal(t, len(sent) > 1 && name != "", p.Twice(name) != "")
		n += len(want)
	}

	require.Len(t, p.pairs, n)
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "a=1&b=2", "a&a", "a=%ff", "a=%00", "%", "a=%zz", "a;b", "a=b=c", "&&=&", "a+b=c+d",
	} {
		f.Add(seed)
	}

	h := newTestHandler(f, map[string]gin.HandlerFunc{"query": readBoth(Query)}, nil)
	f.Fuzz(func(t *testing.T, raw string) {
		r := httptest.NewRequest(http.MethodGet, "/query", nil)
		r.URL.RawQuery = raw
		require.Contains(t, []int{200, 400, 414, 422}, send(h, r).StatusCode)
		if p, err := parseParams(inQuery, raw); err == nil {
			requireAgreement(t, raw, p)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add(formType, []byte("client_id=a&scope=b"))
	f.Add(formType+"; charset=utf-8", []byte("a=%ff"))
	f.Add("", []byte(""))
	f.Add("application/json", []byte("{}"))
	f.Add("x; y=\"", []byte("a\x00"))
	h := newTestHandler(f, map[string]gin.HandlerFunc{"form": readBoth(Form)}, nil)
	f.Fuzz(func(t *testing.T, contentType string, content []byte) {
		r := httptest.NewRequest(http.MethodPost, "/form", strings.NewReader(string(content)))
		r.Header["Content-Type"] = []string{contentType}
		require.Contains(t, []int{200, 400, 413, 422}, send(h, r).StatusCode)
	})
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "*/*", browser, "text/html;q=0.1", "a/b;q=", "text/html;q=1e309", ",;/="} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, accept string) {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		if WantsHTML(r) {
			require.Contains(t, strings.ToLower(accept), "/", "no media range, no page")
			r.Header["Accept"] = []string{accept + ",application/json;q=1", "application/json"}
			require.False(t, WantsHTML(r), "JSON wanted as much as can be")
		}
	})
}

func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"", "1.2.3.4", "1.2.3.4, 10.0.0.1", "[::1]:80,::1", "10.0.0.1,,", "fe80::1%eth0", ",,,",
	} {
		f.Add(seed)
	}

	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		addr := clientAddr(r, trusted)
		require.True(t, addr.IsValid())
		require.False(t, addr.Is4In6())
		require.Empty(t, addr.Zone())
		r.Header["X-Forwarded-For"] = []string{forwarded + ", 203.0.113.9"}
		require.Equal(t, "203.0.113.9", clientAddr(r, trusted).String(),
			"what stands left of an untrusted hop decides nothing")
	})
}
