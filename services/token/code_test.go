package token_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestRedeemingAnAuthorizationCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		noPKCE := func(c *grants.AuthorizationCode) { c.CodeChallenge = "" }
		forApp := func(id string) func(*grants.AuthorizationCode) {
			return func(c *grants.AuthorizationCode) { c.ClientID = id }
		}
		// Each case changes a request that would succeed. Where survives is set, the
		// same code still redeems afterwards: nothing was burnt.
		for name, tt := range map[string]struct {
			code     func(*grants.AuthorizationCode)
			request  form
			drop     string
			status   int // 0: succeeds
			error    oauth.Code
			survives bool
		}{
			"as asked (RFC 6749 4.1.3)":                {},
			"without PKCE, a confidential application": {code: noPKCE, drop: "code_verifier"},
			"a public application with PKCE (RFC 7636)": {
				code:    forApp("spa"),
				request: form{"client_id": "spa", "client_secret": ""},
			},
			"scope isn't a parameter here and is ignored": {request: form{"scope": "api:write"}},
			"no code": {
				drop:     "code",
				status:   400,
				error:    oauth.InvalidRequest,
				survives: true,
			},
			"an empty code counts as absent": {
				request:  form{"code": ""},
				status:   400,
				error:    oauth.InvalidRequest,
				survives: true,
			},
			"an unknown code": {
				request:  form{"code": "nonsense"},
				status:   400,
				error:    oauth.InvalidGrant,
				survives: true,
			},
			"another application's code": {
				request:  client("other"),
				status:   400,
				error:    oauth.InvalidGrant,
				survives: true,
			},
			"a wrong verifier (RFC 7636 4.6)": {
				request:  form{"code_verifier": strings.Repeat("w", 43)},
				status:   400,
				error:    oauth.InvalidGrant,
				survives: true,
			},
			"the challenge in the place of the verifier": {
				request:  form{"code_verifier": challenge},
				status:   400,
				error:    oauth.InvalidGrant,
				survives: true,
			},
			"a verifier of the wrong form (RFC 7636 4.1)": {
				request:  form{"code_verifier": "short"},
				status:   400,
				error:    oauth.InvalidRequest,
				survives: true,
			},
			"a challenge without a verifier": {
				drop:     "code_verifier",
				status:   400,
				error:    oauth.InvalidGrant,
				survives: true,
			},
			"a verifier without a challenge (RFC 9700 4.8.2)": {code: noPKCE, status: 400, error: oauth.InvalidGrant},
			"a public application's code without a challenge": {
				code:    func(c *grants.AuthorizationCode) { noPKCE(c); c.ClientID = "spa" },
				request: form{"client_id": "spa", "client_secret": ""},
				drop:    "code_verifier",
				status:  400,
				error:   oauth.InvalidGrant,
			},
			"another redirect_uri": {
				request:  form{"redirect_uri": redirectURI + "/"},
				status:   400,
				error:    oauth.InvalidGrant,
				survives: true,
			},
			"no redirect_uri, though the request had one": {
				drop:     "redirect_uri",
				status:   400,
				error:    oauth.InvalidRequest,
				survives: true,
			},
			"a code past its minute": {
				code:   func(c *grants.AuthorizationCode) { c.ExpiresAt = start },
				status: 400,
				error:  oauth.InvalidGrant,
			},
			"a resource that was not consented to (RFC 8707)": {
				request:  form{"resource": apiURI},
				status:   400,
				error:    oauth.InvalidTarget,
				survives: true,
			},
			"the resource that was authorized": {
				code:    func(c *grants.AuthorizationCode) { c.Resource = apiURI },
				request: form{"resource": apiURI},
			},
			"another resource than was authorized": {
				code:    func(c *grants.AuthorizationCode) { c.Resource = apiURI },
				request: form{"resource": "https://other.test"},
				status:  400,
				error:   oauth.InvalidTarget,
			},
			"an unknown resource": {
				request:  form{"resource": "https://evil.test"},
				status:   400,
				error:    oauth.InvalidTarget,
				survives: true,
			},
			"scopes that the application has lost since": {
				code:   func(c *grants.AuthorizationCode) { c.Scope = oauth.Scopes{"gone"} },
				status: 400,
				error:  oauth.InvalidScope,
			},
		} {
			t.Run(name, func(t *testing.T) {
				code := w.code(t, p, tt.code)
				request := redeem(code).with(tt.request)
				delete(request, tt.drop)
				got := w.post(t, request)
				if tt.status == 0 {
					require.Equal(t, http.StatusOK, got.status, got.raw)
					require.Equal(t, "Bearer", got.str("token_type"))
					require.EqualValues(t, 3600, got.body["expires_in"])
					require.Equal(t, "openid profile email api:read", got.str("scope"))
					require.NotContains(t, got.body, "refresh_token", "the application may not use it")
					require.Equal(t, http.StatusOK, w.userinfo(t, got.str("access_token")).status)
					return
				}

				requireError(t, got, tt.status, tt.error)

				if tt.survives {
					require.Equal(t, http.StatusOK, w.post(t, redeem(code)).status, "the attempt burnt nothing")
				}
			})
		}
	})
}

func TestTwoResourcesAreRefused(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.code(t, w.person(t), nil)
		got := w.postRaw(t, redeem(code).encode()+"&resource=https://api.test&resource=https://other.test", nil)
		requireError(t, got, 400, oauth.InvalidTarget) // RFC 8707 2: one resource a token
		require.Equal(t, http.StatusOK, w.post(t, redeem(code)).status)
	})
}

func TestAReplayedCodeKillsWhatItProduced(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		code, bystander := w.code(t, p, nil), w.redeemed(t, p, nil).str("access_token")
		first := w.post(t, redeem(code))
		require.Equal(t, http.StatusOK, first.status, first.raw)
		access := first.str("access_token")

		// Neither of these proves to be the client that the code belongs to.
		for name, request := range map[string]form{
			"another application":    redeem(code).with(client("other")),
			"a wrong verifier":       redeem(code).with(form{"code_verifier": strings.Repeat("w", 43)}),
			"another redirect_uri":   redeem(code).with(form{"redirect_uri": "https://evil.test/"}),
			"a wrong client secret":  redeem(code).with(form{"client_secret": "wrong"}),
			"without a redirect_uri": redeem(code).with(form{"redirect_uri": ""}),
		} {
			require.GreaterOrEqual(t, w.post(t, request).status, 400, name)
			require.Equal(t, http.StatusOK, w.userinfo(t, access).status, "%s must revoke nothing", name)
		}

		w.clock.Advance(10 * time.Minute) // consumed goes before expired
		requireError(t, w.post(t, redeem(code)), 400, oauth.InvalidGrant)
		requireError(t, w.userinfo(t, access), 401, oauth.InvalidToken) // RFC 6749 4.1.2
		requireError(t, w.post(t, redeem(code)), 400, oauth.InvalidGrant)
		require.Equal(t, http.StatusOK, w.userinfo(t, bystander).status, "another grant of the same person lives on")
	})
}

// RFC 6749 4.1.2: a code is used once; the others were replays.
func TestOfFiftyRedemptionsAtOnceOneSucceeds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.code(t, w.person(t), nil)
		warm := w.post(t, redeem("nonsense")) // the ring and the cache are filled
		requireError(t, warm, 400, oauth.InvalidGrant)
		var tokens []string
		for _, a := range w.together(redeem(code), 50) {
			if a.status == http.StatusOK {
				tokens = append(tokens, a.str("access_token"))
				continue
			}
			requireError(t, a, 400, oauth.InvalidGrant)
		}

		require.Len(t, tokens, 1)
		requireError(t, w.userinfo(t, tokens[0]), 401, oauth.InvalidToken)
	})
}

// RFC 6749 5.2: what a code stands for may have ended since.
func TestACodeDoesNotOutliveWhatItStandsFor(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for name, end := range endings(w) {
			for kind, offline := range map[string]bool{"online": false, "offline": true} {
				t.Run(name+", "+kind, func(t *testing.T) {
					p := w.person(t)
					code := w.code(t, p, func(c *grants.AuthorizationCode) { c.Offline = offline })
					end(t, p)
					requireError(t, w.post(t, redeem(code)), 400, oauth.InvalidGrant)
				})
			}
		}
	})
}

// endings are the ways in which a person's grants lose their ground.
func endings(w *world) map[string]func(*testing.T, person) {
	return map[string]func(*testing.T, person){
		"the session was ended": func(t *testing.T, p person) {
			w.exec(t, `UPDATE sessions SET ended_at = $2 WHERE id = $1`, p.session, database.At(w.clock.Now()))
		},
		"the session has expired": func(t *testing.T, p person) {
			w.exec(t, `UPDATE sessions SET expires_at = $2 WHERE id = $1`, p.session, database.At(w.clock.Now()))
		},
		"the person was disabled": func(t *testing.T, p person) {
			w.operate(t,
				func(out *directorystore.Writer) error {
					return out.DisableUser(t.Context(),
						p.user.ID, w.clock.Now())
				})
		},
		"the person left the tenant": func(t *testing.T, p person) {
			w.operate(t,
				func(out *directorystore.Writer) error { return out.SaveUser(t.Context(), p.user, nil, w.clock.Now()) })
		},
		"the tenant was disabled": func(t *testing.T, p person) {
			w.operate(t, func(out *directorystore.Writer) error {
				return out.DisableTenant(t.Context(), w.tenant.ID, w.clock.Now())
			})
			t.Cleanup(func() { w.enableTenant(t) })
		},
	}
}

func (w *world) enableTenant(t *testing.T) {
	t.Helper()
	_, err := w.db.Exec(context.WithoutCancel(t.Context()), "test", `UPDATE tenants SET disabled_at = NULL`)
	require.NoError(t, err)
}
