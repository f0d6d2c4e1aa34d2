package token_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// keeps makes an application that may use refresh tokens.
func (w *world) keeps(t *testing.T, id string, kind directory.ApplicationType, change func(*directory.Application)) {
	t.Helper()
	all := applications()
	app := all[slices.IndexFunc(all, func(a *directory.Application) bool { return a.ClientID == "web" })]
	app.ClientID, app.Name, app.Type = id, id, kind
	app.Grants = append(app.Grants, oauth.GrantRefreshToken)

	if app.Public() {
		app.Secrets = nil
	}

	if change != nil {
		change(app)
	}

	w.saveApplication(t, app)
}

// newKeepers is a world with the application "keeper", which may refresh.
func newKeepers(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := newWorld(t, db)
	w.keeps(t, "keeper", directory.Web, nil)
	return w
}

func credentialsOf(id string, public bool) form {
	if public {
		return form{"client_id": id, "client_secret": ""}
	}
	return client(id)
}

// signedIn redeems a fresh code of an application and returns its tokens.
func (w *world) signedIn(t *testing.T, p person, id string, change func(*grants.AuthorizationCode)) answer {
	t.Helper()
	code := w.code(t, p, func(c *grants.AuthorizationCode) {
		c.ClientID = id
		if change != nil {
			change(c)
		}
		c.Offline = c.Scope.Has(oauth.ScopeOfflineAccess)
	})

	a := w.post(t, redeem(code).with(client(id)))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

func offline(c *grants.AuthorizationCode) {
	c.Scope = oauth.Scopes{"openid", "email", "offline_access", "api:read"}
}

func refresh(token string) form {
	return client("keeper").with(form{"grant_type": "refresh_token", "refresh_token": token})
}

// refreshed refreshes and returns the new tokens.
func (w *world) refreshed(t *testing.T, token string) answer {
	t.Helper()
	a := w.post(t, refresh(token))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.NotEmpty(t, a.str("refresh_token"))
	return a
}

// told counts the events of a kind in the audit trail.
func (w *world) told(t *testing.T, kind string) (n int) {
	t.Helper()
	require.NoError(t, w.db.Get(t.Context(), "test", &n, `SELECT count(*) FROM audit_events WHERE kind = $1`, kind))
	return n
}

func TestWhoGetsARefreshToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		plain := func(*grants.AuthorizationCode) {}
		for name, tt := range map[string]struct {
			kind   directory.ApplicationType
			denied bool // the application lacks the grant
			code   func(*grants.AuthorizationCode)
			device bool
			want   bool
		}{
			"a WEB application": {kind: directory.Web, code: plain, want: true},
			"a NATIVE application (RFC 8252)": {
				kind: directory.Native,
				code: plain,
				want: true,
			},
			"an SPA that did not ask for offline_access": {kind: directory.SPA, code: plain},
			"an SPA with offline_access (OpenID Connect Core 11)": {
				kind: directory.SPA,
				code: offline,
				want: true,
			},
			"a SERVICE with offline_access": {
				kind: directory.Service,
				code: offline,
				want: true,
			},
			"a SERVICE without": {kind: directory.Service, code: plain},
			"not without the right to the grant": {
				kind:   directory.Web,
				denied: true,
				code:   plain,
			},
			"not without the right to the grant, even with offline_access": {
				kind:   directory.Web,
				denied: true,
				code:   offline,
			},
			"a device (RFC 8628 3.5)": {kind: directory.SPA, device: true, want: true},
			"no device whose application may not use the grant": {
				kind:   directory.Native,
				denied: true,
				device: true,
			},
		} {
			t.Run(name, func(t *testing.T) {
				id := newID(t, "app_")
				w.keeps(t, id, tt.kind, func(a *directory.Application) {
					if tt.denied {
						a.Grants = a.Grants[:len(a.Grants)-1]
					}
				})

				own := credentialsOf(id, tt.kind == directory.SPA || tt.kind == directory.Native)
				var got answer
				if tt.device {
					got = w.post(t,
						poll(w.device(t, p, "approved", func(d *grants.DeviceCode) { d.ClientID = id })).with(own))
				} else {
					got = w.post(t,
						redeem(w.code(t, p,
							func(c *grants.AuthorizationCode) { tt.code(c); c.ClientID = id })).with(own))
				}

				require.Equal(t, http.StatusOK, got.status, got.raw)
				require.Equal(t, tt.want, got.str("refresh_token") != "")

				if tt.want {
					require.Len(t, got.str("refresh_token"), 43, "256 bits")
					again := w.post(t,
						own.with(form{"grant_type": "refresh_token", "refresh_token": got.str("refresh_token")}))
					require.Equal(t, http.StatusOK, again.status, again.raw)
				}
			})
		}

		own := w.post(t, credentials.with(client("web")))
		require.NotContains(t, own.body, "refresh_token", "RFC 6749 4.4.3")
	})
}

func TestARefreshedSetOfTokens(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		p := w.person(t)
		first := w.signedIn(t, p, "keeper", nil)
		w.clock.Advance(30 * time.Minute)
		next := w.refreshed(t, first.str("refresh_token"))
		require.Equal(t, "Bearer", next.str("token_type"))
		require.EqualValues(t, 3600, next.body["expires_in"])
		require.Equal(t, "openid profile email api:read", next.str("scope"))
		require.NotEqual(t, first.str("refresh_token"), next.str("refresh_token"), "RFC 9700 4.14.2: rotation")

		before, after := w.verified(t, first.str("id_token"), "JWT",
			"RS256"), w.verified(t, next.str("id_token"), "JWT", "RS256")
		for _, name := range []string{
			"iss", "sub", "aud", "azp", "sid", "auth_time", "acr", "amr", "tenant_id", "tenant_slug",
		} {
			require.Equal(t, before[name], after[name], "OpenID Connect Core 12.2: %s", name)
		}

		require.NotContains(t, after, "nonce", "OpenID Connect Core 12.2")
		require.EqualValues(t, w.clock.Now().Unix(), after["iat"])
		oldAccess, access := w.verified(t, first.str("access_token"), "at+jwt",
			"ES256"), w.verified(t, next.str("access_token"), "at+jwt", "ES256")
		require.Equal(t, oldAccess["gid"], access["gid"], "one grant")
		require.NotEqual(t, oldAccess["jti"], access["jti"])
		w.clock.Advance(40 * time.Minute)
		require.Equal(t, http.StatusOK, w.userinfo(t, next.str("access_token")).status,
			"the grant lives as long as its last token")
	})
}

func TestRefreshRequests(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		w.keeps(t, "another", directory.Web, nil)
		p := w.person(t)
		bound := func(c *grants.AuthorizationCode) { c.Resource = apiURI }
		// What is refused burns nothing: the token still works afterwards.
		for name, tt := range map[string]struct {
			code    func(*grants.AuthorizationCode)
			request form
			status  int // 0: succeeds
			error   oauth.Code
			scope   string
		}{
			"as asked (RFC 6749 6)": {scope: "openid profile email api:read"},
			"with the same scope": {
				request: form{"scope": "openid profile email api:read"},
				scope:   "openid profile email api:read",
			},
			"with fewer scopes": {
				request: form{"scope": "openid email"},
				scope:   "openid email",
			},
			"with fewer scopes, in another order": {
				request: form{"scope": "api:read openid"},
				scope:   "api:read openid",
			},
			"with a scope that was not granted (RFC 6749 6)": {
				request: form{"scope": "openid api:write"},
				status:  400,
				error:   oauth.InvalidScope,
			},
			"with a malformed scope": {
				request: form{"scope": `openid "x"`},
				status:  400,
				error:   oauth.InvalidScope,
			},
			"without a token": {
				request: form{"refresh_token": ""},
				status:  400,
				error:   oauth.InvalidRequest,
			},
			"with an unknown token": {
				request: form{"refresh_token": "nonsense"},
				status:  400,
				error:   oauth.InvalidGrant,
			},
			"by another application (RFC 6749 6)": {
				request: client("another"),
				status:  400,
				error:   oauth.InvalidGrant,
			},
			"by an application that may not use the grant": {
				request: client("web"),
				status:  400,
				error:   oauth.UnauthorizedClient,
			},
			"with a wrong secret": {
				request: form{"client_secret": "wrong"},
				status:  401,
				error:   oauth.InvalidClient,
			},
			"for the resource that was granted (RFC 8707 2.2)": {
				code:    bound,
				request: form{"resource": apiURI},
				scope:   "openid profile email api:read",
			},
			"for another resource": {
				code:    bound,
				request: form{"resource": "https://other.test"},
				status:  400,
				error:   oauth.InvalidTarget,
			},
		} {
			t.Run(name, func(t *testing.T) {
				first := w.signedIn(t, p, "keeper", tt.code).str("refresh_token")
				got := w.post(t, refresh(first).with(tt.request))
				if tt.status == 0 {
					require.Equal(t, http.StatusOK, got.status, got.raw)
					require.Equal(t, tt.scope, got.str("scope"))
					return
				}

				requireError(t, got, tt.status, tt.error)
				require.Equal(t, http.StatusOK, w.post(t, refresh(first)).status, "the attempt burnt nothing")
			})
		}
	})
}

func TestLessForOnceIsNotLessForEver(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		first := w.signedIn(t, w.person(t), "keeper", nil)
		narrow := w.post(t, refresh(first.str("refresh_token")).with(form{"scope": "api:read"}))
		require.Equal(t, http.StatusOK, narrow.status, narrow.raw)
		require.Empty(t, narrow.str("id_token"), "no openid, no ID token")
		requireError(t, w.userinfo(t, narrow.str("access_token")), 403, oauth.InsufficientScope)
		wide := w.refreshed(t, narrow.str("refresh_token"))
		require.Equal(t, "openid profile email api:read", wide.str("scope"),
			"RFC 6749 6: the refresh token's scope stays")
	})
}

// RFC 6749 6, 10.4: it is bound to the client that it was issued to.
func TestARefreshTokenOfAnotherClientIsLeftAlone(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		w.keeps(t, "another", directory.Web, nil)
		first := w.signedIn(t, w.person(t), "keeper", nil)
		second := w.refreshed(t, first.str("refresh_token"))
		w.clock.Advance(time.Minute)

		for _, token := range []string{first.str("refresh_token"), second.str("refresh_token")} {
			requireError(t, w.post(t, refresh(token).with(client("another"))), 400, oauth.InvalidGrant)
		}

		require.Equal(t, http.StatusOK, w.userinfo(t, second.str("access_token")).status,
			"used or not, it revokes nothing")
		w.refreshed(t, second.str("refresh_token"))
	})
}

func TestARepeatWithinTheGrace(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		p := w.person(t)
		first := w.signedIn(t, p, "keeper", nil).str("refresh_token")
		second := w.refreshed(t, first)
		for range 3 { // 9 s in all: each within the grace of the first rotation
			w.clock.Advance(3 * time.Second)
			again := w.refreshed(t, first)
			require.Equal(t, second.str("refresh_token"), again.str("refresh_token"), "the same successor")
			require.NotEqual(t, second.str("access_token"), again.str("access_token"), "a fresh access token")
			require.Equal(t, http.StatusOK, w.userinfo(t, again.str("access_token")).status)
		}

		require.Zero(t, w.told(t, "token.refresh_reused"))

		w.clock.Advance(time.Second) // the tenth: the repeats extended nothing
		requireError(t, w.post(t, refresh(first)), 400, oauth.InvalidGrant)
		requireError(t, w.post(t, refresh(second.str("refresh_token"))), 400, oauth.InvalidGrant) // RFC 9700 4.14.2
		requireError(t, w.userinfo(t, second.str("access_token")), 401, oauth.InvalidToken)
		require.Equal(t, 1, w.told(t, "token.refresh_reused"))
		require.Equal(t, 1, w.told(t, "token.family_revoked"))
		requireError(t, w.post(t, refresh(first)), 400, oauth.InvalidGrant)
		require.Equal(t, 1, w.told(t, "token.refresh_reused"), "told once")
	})
}

func TestARepeatAfterTheSuccessorWasUsedRevokesTheFamily(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		p := w.person(t)
		first := w.signedIn(t, p, "keeper", nil).str("refresh_token")
		bystander := w.signedIn(t, p, "keeper", nil).str("refresh_token")
		third := w.refreshed(t, w.refreshed(t, first).str("refresh_token"))
		requireError(t, w.post(t, refresh(first)), 400, oauth.InvalidGrant)
		requireError(t, w.post(t, refresh(third.str("refresh_token"))), 400, oauth.InvalidGrant) // RFC 9700 4.14.2
		requireError(t, w.userinfo(t, third.str("access_token")), 401, oauth.InvalidToken)
		w.refreshed(t, bystander) // another family of the same person
	})
}

// RFC 9700 4.14.2.
func TestTheGraceIsTheApplicationsToChoose(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		for name, tt := range map[string]struct {
			grace, after time.Duration
			again        bool
		}{
			"none: the repeat is a theft":       {},
			"longer than the platform's":        {grace: 30 * time.Second, after: 29 * time.Second, again: true},
			"but it ends":                       {grace: 30 * time.Second, after: 30 * time.Second},
			"never longer than a minute":        {grace: time.Hour, after: time.Minute},
			"shorter than the platform's is so": {grace: time.Second, after: time.Second},
		} {
			t.Run(name, func(t *testing.T) {
				id := newID(t, "app_")
				w.keeps(t, id, directory.Web, func(a *directory.Application) { a.RefreshGrace = &tt.grace })
				first := w.signedIn(t, p, id, nil).str("refresh_token")
				next := w.post(t, refresh(first).with(client(id)))
				require.Equal(t, http.StatusOK, next.status, next.raw)
				w.clock.Advance(tt.after)
				again := w.post(t, refresh(first).with(client(id)))
				if tt.again {
					require.Equal(t, next.str("refresh_token"), again.str("refresh_token"), again.raw)
					return
				}

				requireError(t, again, 400, oauth.InvalidGrant)
				requireError(t, w.post(t, refresh(next.str("refresh_token")).with(client(id))), 400, oauth.InvalidGrant)
			})
		}
	})
}
