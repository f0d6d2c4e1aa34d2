package token_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const introspectPath = "/api/v1/platform/oauth/introspect"

func nativeCode(c *grants.AuthorizationCode) { c.ClientID = "public" }

// introspect asks about a token and demands an answer of RFC 7662 2.2.
func (w *world) introspect(t *testing.T, own form, token string) answer {
	t.Helper()
	a := w.do(t, aboutRequest(introspectPath, own.with(form{"token": token}).encode()))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

var inactive = map[string]any{"active": false}

// newServers is a world with "keeper", whose tokens "api" serves the resource of,
// and "elsewhere", which serves another.
func newServers(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := newKeepers(t, db)
	w.keeps(t, "api", directory.Service,
		func(a *directory.Application) { a.ResourcesServed = []string{"https://x.test", apiURI} })
	w.keeps(t, "elsewhere", directory.Service,
		func(a *directory.Application) { a.ResourcesServed = []string{"https://other.test"} })
	return w
}

func TestIntrospectingAnAccessToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		p := w.person(t)
		forAPI := w.signedIn(t, p, "keeper",
			func(c *grants.AuthorizationCode) { c.Resource = apiURI }).str("access_token")
		claims := w.verified(t, forAPI, "at+jwt", "ES256")
		claims["active"], claims["token_type"] = true, "Bearer"

		for _, id := range []string{"keeper", "api"} {
			got := w.introspect(t, client(id), forAPI)
			require.Equal(t, claims, got.body, "RFC 7662 2.2, to %s", id)
		}

		require.Equal(t, inactive, w.introspect(t, client("elsewhere"), forAPI).body,
			"RFC 7662 4: not the server of a resource it is for")

		atUserinfo := w.signedIn(t, p, "keeper", nil).str("access_token")
		require.Equal(t, true, w.introspect(t, client("keeper"), atUserinfo).body["active"])
		require.Equal(t, inactive, w.introspect(t, client("api"), atUserinfo).body)

		own := w.post(t, credentials.with(client("keeper")).with(form{"resource": apiURI})).str("access_token")
		for _, id := range []string{"keeper", "api"} {
			got := w.introspect(t, client(id), own)
			require.Equal(t, true, got.body["active"])
			require.Equal(t, "keeper", got.body["sub"])
			require.Equal(t, true, got.body["platform_token"])
		}

		require.Equal(t, inactive, w.introspect(t, client("elsewhere"), own).body)
	})
}

func TestIntrospectingARefreshToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		p := w.person(t)
		tokens := w.signedIn(t, p, "keeper", func(c *grants.AuthorizationCode) { c.Resource = apiURI })
		token := tokens.str("refresh_token")
		gid := w.verified(t, tokens.str("access_token"), "at+jwt", "ES256")["gid"]
		require.Equal(t, map[string]any{
			"active":      true,
			"iss":         issuer,
			"sub":         p.user.ID,
			"client_id":   "keeper",
			"scope":       "openid profile email api:read",
			"gid":         gid,
			"sid":         p.session,
			"tenant_id":   "tnt_acme",
			"tenant_slug": "acme",
			"iat":         float64(start.Unix()),
			"exp":         float64(start.Add(30 * 24 * time.Hour).Unix()),
		}, w.introspect(t, client("keeper").with(form{"token_type_hint": "access_token"}), token).body,
			"a wrong hint changes nothing (RFC 7662 2.1)")

		require.Equal(t, inactive, w.introspect(t, client("api"), token).body, "only its client may know of it")
		next := w.refreshed(t, token).str("refresh_token")
		require.Equal(t, inactive, w.introspect(t, client("keeper"), token).body, "used up")
		require.Equal(t, true, w.introspect(t, client("keeper"), next).body["active"])
		w.clock.Advance(30 * 24 * time.Hour)
		require.Equal(t, inactive, w.introspect(t, client("keeper"), next).body, "expired")
	})
}

// RFC 7662 2.2, 4.
func TestIntrospectionEndsWithWhatTheTokenStandsFor(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		all := endings(w)
		all["the grant was revoked"] = func(t *testing.T, p person) {
			w.exec(t, `UPDATE grants SET revoked_at = $2 WHERE user_id = $1`, p.user.ID, database.At(w.clock.Now()))
		}

		for name, end := range all {
			for kind, change := range map[string]func(*grants.AuthorizationCode){"online": nil, "offline": offline} {
				t.Run(name+", "+kind, func(t *testing.T) {
					p := w.person(t)
					tokens := w.signedIn(t, p, "keeper", change)
					end(t, p)

					for _, token := range []string{tokens.str("access_token"), tokens.str("refresh_token")} {
						got := w.introspect(t, client("keeper"), token)
						if kind == "offline" && strings.HasPrefix(name, "the session") {
							require.Equal(t, true, got.body["active"], "an offline grant outlives its session")
							continue
						}
						require.Equal(t, inactive, got.body)
					}
				})
			}
		}
	})
}

// RFC 7662 2.2.
func TestIntrospectionEndsWithTheApplication(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		tokens := w.signedIn(t, w.person(t), "keeper", func(c *grants.AuthorizationCode) { c.Resource = apiURI })
		own := w.post(t, credentials.with(client("keeper")).with(form{"resource": apiURI})).str("access_token")
		w.keeps(t, "keeper", directory.Web, func(a *directory.Application) { a.Active = false })
		w.clock.Advance(6 * time.Second)
		for _, token := range []string{tokens.str("access_token"), own} {
			require.Equal(t, inactive, w.introspect(t, client("api"), token).body)
		}
	})
}

func TestIntrospectionRequests(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		w.keeps(t, "public", directory.Native, nil)
		tokens := w.signedIn(t, w.person(t), "keeper", nil)
		good := client("keeper").with(form{"token": tokens.str("access_token")})
		for name, tt := range map[string]struct {
			body   string
			status int
			error  oauth.Code
		}{
			"no token": {
				body:   client("keeper").encode(),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"a token twice": {
				body:   good.encode() + "&token=x",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"no client (RFC 7662 2.1)": {
				body:   form{"token": "x"}.encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a wrong secret (RFC 7662 2.3)": {
				body:   good.with(form{"client_secret": "wrong"}).encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a public application": {
				body:   form{"client_id": "public", "token": tokens.str("access_token")}.encode(),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"a bearer token doesn't authenticate": {
				body:   form{"token": "x", "client_id": "keeper"}.encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a TENANT application": {
				body:   good.with(client("tenant")).encode(),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"invalid UTF-8": {
				body:   good.encode() + "&x=%ff",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"a body of a megabyte": {
				body:   good.encode() + "&x=" + strings.Repeat("x", 1<<20),
				status: 413,
				error:  oauth.InvalidRequest,
			},
			"a disabled application asks no more": {
				body:   good.with(client("disabled")).encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
		} {
			t.Run(name, func(t *testing.T) {
				requireError(t, w.do(t, aboutRequest(introspectPath, tt.body)), tt.status, tt.error)
			})
		}

		for name, token := range map[string]string{
			"an unknown token":    "nonsense",
			"an ID token":         tokens.str("id_token"),
			"no JWT":              "a.b.c",
			"a changed signature": tokens.str("access_token")[:len(tokens.str("access_token"))-4] + "AAAA",
		} {
			require.Equal(t, inactive, w.introspect(t, client("keeper"), token).body, "RFC 7662 2.2: %s", name)
		}

		w.clock.Advance(time.Hour)
		require.Equal(t, inactive, w.introspect(t, client("keeper"), tokens.str("access_token")).body, "expired")
		byHeader := aboutRequest(introspectPath, form{"token": tokens.str("refresh_token")}.encode())
		byHeader.Header["Authorization"] = basic("keeper", secretWord)["Authorization"]
		require.Equal(t, true, w.do(t, byHeader).body["active"])
	})
}
