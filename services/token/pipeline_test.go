package token_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

// Each grant type passes the same checks in the same order (RFC 6749 3.2, 5.2,
// RFC 8707 2): every row is a request that succeeds but for one thing.
func TestNoGrantSkipsAStep(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		w.keeps(t, "all", directory.Web, func(a *directory.Application) {
			a.Grants, a.ResourcesServed = append(a.Grants, oauth.GrantTokenExchange), []string{apiURI}
		})
		w.keeps(t, "none", directory.Web, func(a *directory.Application) { a.Grants = nil })
		kinds := map[string]func() form{
			"authorization_code": func() form {
				return redeem(w.code(t, p,
					func(c *grants.AuthorizationCode) { c.ClientID, c.Resource = "all", apiURI }))
			},
			"refresh_token": func() form {
				return form{
					"grant_type":    "refresh_token",
					"refresh_token": w.signedIn(t, p, "all", forAPI).str("refresh_token"),
				}
			},
			"client_credentials": func() form { return credentials },
			"device_code": func() form {
				return poll(w.device(t, p, "approved",
					func(d *grants.DeviceCode) { d.ClientID, d.Resource = "all", apiURI }))
			},
			"token_exchange": func() form {
				return exchange("all", w.signedIn(t, p, "all", forAPI).str("access_token"), nil)
			},
		}
		require.ElementsMatch(t, oauth.GrantNames(), slices.Collect(maps.Keys(kinds)), "every grant type is tried")
		for kind, fresh := range kinds {
			t.Run(kind, func(t *testing.T) {
				for name, tt := range map[string]struct {
					change form
					more   string
					status int
					error  oauth.Code
				}{
					"a parameter twice": {more: "&grant_type=x", status: 400, error: oauth.InvalidRequest},
					"no client authentication": {
						change: form{"client_secret": ""},
						status: 401,
						error:  oauth.InvalidClient,
					},
					"a wrong secret": {
						change: form{"client_secret": "wrong"},
						status: 401,
						error:  oauth.InvalidClient,
					},
					"an unknown application": {
						change: client("nobody"),
						status: 401,
						error:  oauth.InvalidClient,
					},
					"a disabled application": {
						change: client("disabled"),
						status: 401,
						error:  oauth.InvalidClient,
					},
					"a TENANT application": {
						change: client("tenant"),
						status: 400,
						error:  oauth.UnauthorizedClient,
					},
					"an application without a grant": {
						change: client("none"),
						status: 400,
						error:  oauth.UnauthorizedClient,
					},
					"a resource that is not its own": {
						change: form{"resource": "https://evil.test"},
						status: 400,
						error:  oauth.InvalidTarget,
					},
					"two resources": {
						more:   "&resource=https://api.test&resource=https://other.test",
						status: 400,
						error:  oauth.InvalidTarget,
					},
				} {
					got := w.postRaw(t, fresh().with(client("all")).with(tt.change).encode()+tt.more, nil)
					require.Equal(t, tt.status, got.status, name)
					require.Equal(t, string(tt.error), got.str("error"), name)
				}

				require.Equal(t, http.StatusOK, w.post(t, fresh().with(client("all"))).status)
				again := w.postRaw(t,
					fresh().with(client("all")).encode()+
						"&resource=https://api.test&resource=https://api.test&unknown=1", nil)
				require.Equal(t, http.StatusOK, again.status,
					"resource may repeat (RFC 8707 2), unknown parameters are ignored (RFC 6749 3.2)")
			})
		}
	})
}

// RFC 6749 5.2: who tried Basic is answered in its terms, at every endpoint that
// authenticates applications (RFC 7009 2.1, RFC 7662 2.1); nothing is stored on the way.
func TestBasicIsChallengedWhereverItIsTried(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	for _, path := range []string{tokenPath, revokePath, introspectPath} {
		for name, challenged := range map[string]bool{"Basic": true, "post": false} {
			body, header := credentials.with(form{"token": "x"}), basic("web", "wrong")
			if !challenged {
				body, header = body.with(form{"client_id": "web", "client_secret": "wrong"}), nil
			}

			r := tokenRequest(body.encode(), header)
			r.URL.Path = path
			got := w.do(t, r) // which demands no-store and no-cache
			requireError(t, got, 401, oauth.InvalidClient)
			require.Equal(t, challenged,
				strings.HasPrefix(got.header.Get("WWW-Authenticate"), `Basic realm="`), "%s by %s", path, name)
		}
	}
}

// OpenID Connect Core 5.3.1, RFC 7009 2.1, RFC 7662 2.1: parameters that nobody
// knows change nothing.
func TestUnknownParametersAreIgnored(t *testing.T) {
	w := newServers(t, testkit.SQLite(t))
	access := w.signedIn(t, w.person(t), "keeper", nil).str("access_token")
	require.Equal(t, http.StatusOK, w.do(t, infoRequest("unknown=1&schema=openid", "", "Bearer "+access)).status)
	require.Equal(t, http.StatusOK, w.do(t, infoRequest("", "access_token="+access+"&unknown=1")).status)
	require.Equal(t, true, w.introspect(t, client("keeper").with(form{"unknown": "1"}), access).body["active"])
	w.revoke(t, client("keeper").with(form{"unknown": "1"}), access)
	require.Equal(t, inactive, w.introspect(t, client("keeper"), access).body)
	require.Equal(t, 1, w.told(t, "token.revoked"))
}

// RFC 9068 2.1, OpenID Connect Core 15.1: the platform has a say, too.
func TestThePlatformChoosesItsAlgorithms(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	p := w.person(t)
	for _, alg := range [][2]signing.Algorithm{{signing.EdDSA, signing.PS256}, {signing.RS256, signing.ES256}} {
		w.service = w.startWith(t, w.db,
			func(c *token.Config) { c.Signing.AccessTokenAlg, c.Signing.IDTokenAlg = alg[0], alg[1] })
		got := w.redeemed(t, p, nil)
		w.verified(t, got.str("access_token"), "at+jwt", string(alg[0]))
		w.verified(t, got.str("id_token"), "JWT", string(alg[1]))
		require.Equal(t, http.StatusOK, w.userinfo(t, got.str("access_token")).status)
		own := w.post(t,
			redeem(w.code(t, p, func(c *grants.AuthorizationCode) { c.ClientID = "own" })).with(client("own")))
		w.verified(t, own.str("access_token"), "at+jwt", "PS256")
	}
}

// RFC 8414 2, RFC 9207 2.4: whoever a request says it was sent to, the issuer is the
// configured one.
func TestTheIssuerIsNeverReadFromARequest(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	r := tokenRequest(redeem(w.code(t, w.person(t), nil)).encode(), http.Header{
		"X-Forwarded-Host": {"evil.test"}, "X-Forwarded-Proto": {"http"}, "Forwarded": {"host=evil.test"},
	})
	r.Host = "evil.test"
	got := w.do(t, r)
	require.Equal(t, http.StatusOK, got.status, got.raw)
	require.NotContains(t, got.raw, "evil")

	for typ, name := range map[string]string{"at+jwt": "access_token", "JWT": "id_token"} {
		require.Equal(t, issuer,
			w.verified(t, got.str(name), typ, map[string]string{"at+jwt": "ES256", "JWT": "RS256"}[typ])["iss"])
	}

	info := infoRequest("", "", "")
	info.Host = "evil.test"
	require.Equal(t, `Bearer realm="platform"`, w.do(t, info).header.Get("WWW-Authenticate"))
}

// OpenID Connect Core 11, RFC 9700 4.14.2: an application that lives on its refresh token lets
// the session idle; only its end counts.
func TestASessionThatIdlesEndsNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		p := w.person(t)
		tokens := w.signedIn(t, p, "keeper", nil)
		w.clock.Advance(20 * 24 * time.Hour)
		tokens = w.refreshed(t, tokens.str("refresh_token"))
		require.Equal(t, http.StatusOK, w.userinfo(t, tokens.str("access_token")).status)
		w.clock.Advance(10 * 24 * time.Hour) // the session's absolute end
		requireError(t, w.post(t, refresh(tokens.str("refresh_token"))), 400, oauth.InvalidGrant)
	})
}

// RFC 6749 4.4, OpenID Connect Core 5.4: there is nobody that these scopes could
// speak of.
func TestAnApplicationHasNoPersonalScopes(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	for _, scope := range []string{"openid", "profile", "email", "address", "phone", "offline_access"} {
		requireError(t,
			w.post(t, credentials.with(client("web")).with(form{"scope": "api:read " + scope})),
			400, oauth.InvalidScope)
	}
}

// RFC 6749 4.1.2: what a replayed code produced is dead wherever it is shown, and
// the trail tells of it.
func TestAReplayKillsEveryKindOfToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		code := w.code(t, w.person(t), func(c *grants.AuthorizationCode) { c.ClientID, c.Resource = "keeper", apiURI })
		request := redeem(code).with(client("keeper"))
		tokens := w.post(t, request)
		require.Equal(t, http.StatusOK, tokens.status, tokens.raw)
		exchanged, _ := w.exchanged(t, "edge", tokens.str("access_token"), form{"audience": downstream})
		requireError(t, w.post(t, request), 400, oauth.InvalidGrant)

		requireError(t, w.post(t, refresh(tokens.str("refresh_token"))), 400, oauth.InvalidGrant)
		requireError(t, w.userinfo(t, tokens.str("access_token")), 401, oauth.InvalidToken)

		for id, token := range map[string]string{
			"keeper": tokens.str("access_token"),
			"api":    tokens.str("access_token"),
			"edge":   exchanged.str("access_token"),
		} {
			require.Equal(t, inactive, w.introspect(t, client(id), token).body, id)
		}

		require.Equal(t, inactive, w.introspect(t, client("keeper"), tokens.str("refresh_token")).body)
		requireError(t, w.post(t, exchange("edge", tokens.str("access_token"), form{"audience": downstream})),
			400, oauth.InvalidRequest)
		requireError(t, w.post(t, exchange("next", exchanged.str("access_token"), form{"audience": deep})),
			400, oauth.InvalidRequest)
		require.Equal(t, 1, w.told(t, "token.code_replayed"))
	})
}

// RFC 9110 9.3.2, 15.5.6: HEAD asks like GET, and nothing that changes something
// is asked by GET.
func TestWhatIsPostedIsNotGot(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	for _, path := range []string{tokenPath, revokePath, introspectPath} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
			require.Equal(t, http.StatusMethodNotAllowed,
				w.serve(httptest.NewRequest(method, path, nil)).status, "%s %s", method, path)
		}
	}
}
