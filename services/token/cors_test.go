package token_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const (
	pageA = "https://a.test"
	pageB = "https://b.test"
)

// newPages is a world with two SPA applications, each with an origin, and with a
// WEB application that names one in vain.
func newPages(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := newKeepers(t, db)
	w.keeps(t, "page-a", directory.SPA,
		func(a *directory.Application) { a.CORSOrigins = []string{pageA, "http://127.0.0.1:3000"} })
	w.keeps(t, "page-b", directory.SPA, func(a *directory.Application) { a.CORSOrigins = []string{pageB} })
	w.keeps(t, "server", directory.Web,
		func(a *directory.Application) { a.CORSOrigins = []string{"https://server.test"} })
	return w
}

func (w *world) preflight(path, origin string) answer {
	r := httptest.NewRequest(http.MethodOptions, path, nil)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	r.Header.Set("Access-Control-Request-Headers", "authorization")
	return w.serve(r)
}

func allowed(a answer) string { return a.header.Get("Access-Control-Allow-Origin") }

func TestPreflightsPassForEveryRegisteredOrigin(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newPages(t, db)
		for _, path := range []string{tokenPath, infoPath, revokePath} {
			for _, origin := range []string{pageA, pageB, "http://127.0.0.1:3000"} {
				got := w.preflight(path, origin)
				require.Equal(t, http.StatusNoContent, got.status)
				require.Equal(t, origin, allowed(got), "Fetch 3.2.2")
				require.Contains(t, got.header.Get("Access-Control-Allow-Methods"), "POST")
				require.Contains(t, got.header.Get("Access-Control-Allow-Headers"), "Authorization")
				require.Equal(t, "Origin", got.header.Get("Vary"))
				require.Empty(t, got.header.Values("Access-Control-Allow-Credentials"))
			}

			for _, origin := range []string{
				"https://evil.test", "https://server.test", "null", "https://a.test.evil.test", "https://A.test",
			} {
				got := w.preflight(path, origin)
				require.Empty(t, allowed(got), origin)
				require.Equal(t, "Origin", got.header.Get("Vary"))
			}
		}

		got := w.preflight(introspectPath, pageA)
		require.Equal(t, http.StatusMethodNotAllowed, got.status, "a page does not introspect")
		require.Empty(t, allowed(got))

		w.keeps(t, "page-b", directory.SPA,
			func(a *directory.Application) { a.CORSOrigins = []string{pageB}; a.Active = false })
		w.clock.Advance(6 * time.Second)
		require.Empty(t, allowed(w.preflight(tokenPath, pageB)), "once the cache has forgotten")
	})
}

// Fetch 3.2.
func TestOnlyTheClientsOwnPageReadsTheAnswer(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newPages(t, db)
		p := w.person(t)
		code := func() string {
			return w.code(t, p, func(c *grants.AuthorizationCode) { c.ClientID = "page-a" })
		}
		request := func(f form, path, origin string) answer {
			r := tokenRequest(f.encode(), nil)
			r.URL.Path = path
			if origin != "" {
				r.Header.Set("Origin", origin)
			}

			got := w.serve(r)
			require.Equal(t, []string{"Origin"}, got.header.Values("Vary")[:1], "also without one")
			require.Empty(t, got.header.Values("Access-Control-Allow-Credentials"))
			return got
		}

		page := form{"client_id": "page-a", "client_secret": ""}
		for origin, want := range map[string]string{
			pageA:                   pageA,
			"http://127.0.0.1:3000": "http://127.0.0.1:3000",
			pageB:                   "",
			"https://evil.test":     "",
			"null":                  "",
			"":                      "",
		} {
			got := request(redeem(code()).with(page), tokenPath, origin)
			require.Equal(t, http.StatusOK, got.status, got.raw)
			require.Equal(t, want, allowed(got), origin)
			access := got.str("access_token")

			bearer := func() answer {
				r := infoRequest("", "", "Bearer "+access)
				r.Header.Set("Origin", origin)
				if origin == "" {
					r.Header.Del("Origin")
				}
				return w.serve(r)
			}

			info := bearer()
			require.Equal(t, http.StatusOK, info.status, info.raw)
			require.Equal(t, want, allowed(info), "the token's own origin")
			require.Equal(t, "Origin", info.header.Get("Vary"))
			revoked := request(form{"client_id": "page-a", "token": access}, revokePath, origin)
			require.Equal(t, http.StatusOK, revoked.status)
			require.Equal(t, want, allowed(revoked))
			info = bearer()
			require.Equal(t, http.StatusUnauthorized, info.status)
			require.Equal(t, want, allowed(info), "the page may know why")

			if want != "" {
				require.Contains(t, info.header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
			}
		}

		wrong := request(redeem("wrong").with(page), tokenPath, pageA)
		requireError(t, wrong, 400, oauth.InvalidGrant)
		require.Equal(t, pageA, allowed(wrong), "errors are read too")
		require.Equal(t, pageA, allowed(request(form{"client_id": "page-a"}, tokenPath, pageA)),
			"also those of a form in disorder")

		for name, f := range map[string]form{
			"a confidential client": credentials.with(client("server")),
			"another page's client": credentials.with(form{"client_id": "page-b"}),
		} {
			for _, origin := range []string{pageA, "https://server.test"} {
				require.Empty(t, allowed(request(f, tokenPath, origin)), name)
			}
		}
	})
}

// Fetch 3.2.
func TestAFailureThatIsAboutNoApplicationIsReadByRegisteredPages(t *testing.T) {
	w := newPages(t, testkit.SQLite(t))
	w.keeps(t, "disabled", directory.SPA, func(a *directory.Application) { a.Active = false })
	wrongType := tokenRequest("{}", nil)
	wrongType.Header.Set("Content-Type", "application/json")

	requests := map[string]*http.Request{
		"no bearer":          infoRequest("", "", ""),
		"a malformed bearer": infoRequest("", "", "Bearer x"),
		"a forged bearer":    infoRequest("", "", "Bearer x.y.z"),
		"no client":          tokenRequest("grant_type=refresh_token", nil),
		"an unknown client":  tokenRequest("grant_type=refresh_token&client_id=nobody", nil),
		"a disabled client":  tokenRequest("grant_type=refresh_token&client_id=disabled", nil),
		"a wrong media type": wrongType,
	}
	for name, r := range requests {
		for origin, want := range map[string]string{
			pageA:                 pageA,
			pageB:                 pageB,
			"https://evil.test":   "",
			"https://server.test": "",
			"null":                "",
		} {
			r.Header.Set("Origin", origin)
			got := w.serve(r)
			require.GreaterOrEqual(t, got.status, 400, name)
			require.Equal(t, want, allowed(got), "%s from %s", name, origin)
			require.Contains(t, got.header.Values("Vary"), "Origin")
		}
	}
}
