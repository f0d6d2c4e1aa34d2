package authorize_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// FuzzAuthorize sends queries as an attacker would: no response is a server error,
// and no redirect leads anywhere but to the sign-in pages or a registered URI.
func FuzzAuthorize(f *testing.F) {
	f.Add(webParams(nil).Encode())
	f.Add(params("native", "http://127.0.0.1:8/callback", nil).Encode() + "&prompt=none")
	f.Add(params("native", "http://127.0.0.1:8@evil.test/callback", nil).Encode() + "&response_mode=form_post")
	f.Add("client_id=web&redirect_uri=https://evil.test&response_type=&scope=&max_age=-1")
	f.Add("flow=x&flow=%00")
	w := newWorld(f, testkit.SQLite(f))
	targets := []string{
		"/auth/flows/flw_", "/auth/flows/fls_", callback + "&", "https://spa.test/cb?", "https://native.test/cb?",
		private + "?", loopback + "?",
	}
	f.Fuzz(func(t *testing.T, query string) {
		w := &world{
			t:       t,
			db:      w.db,
			clock:   w.clock,
			service: w.service,
		}

		res := w.do(visit{raw: query, json: true})
		require.Less(t, res.StatusCode, http.StatusInternalServerError, res.body)
		location := res.Header.Get("Location")
		if res.StatusCode != http.StatusSeeOther {
			require.Empty(t, location)
			return
		}

		if strings.HasPrefix(location, "http://127.0.0.1:") || strings.HasPrefix(location, "http://[::1]") {
			_, tail, _ := strings.Cut(strings.TrimPrefix(location, "http://"), "/")
			require.True(t, strings.HasPrefix(tail, "callback?"), location)
			require.NotContains(t, strings.TrimSuffix(location, tail), "@")
			return
		}

		require.True(t,
			slices.ContainsFunc(targets, func(p string) bool { return strings.HasPrefix(location, p) }), location)
	})
}
