package token_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const (
	accessType  = "urn:ietf:params:oauth:token-type:access_token"
	idType      = "urn:ietf:params:oauth:token-type:id_token"
	jwtType     = "urn:ietf:params:oauth:token-type:jwt"
	refreshType = "urn:ietf:params:oauth:token-type:refresh_token"
	downstream  = "https://down.test"
	deep        = "https://deep.test"
)

// newExchangers is a world with three first-party applications that may exchange
// tokens: "front" has people and serves nothing, "edge" serves apiURI and may ask for
// downstream, "next" serves that and may ask for deep.
func newExchangers(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := newServers(t, db)
	exchanges := func(id string, kind directory.ApplicationType, serves, asks string) {
		w.keeps(t, id, kind, func(a *directory.Application) {
			a.Grants = append(a.Grants, oauth.GrantTokenExchange)
			a.Audiences, a.FirstParty = append(a.Audiences, asks), true
			if serves != "" {
				a.ResourcesServed = []string{serves}
			}
		})
	}

	exchanges("front", directory.Web, "", downstream)
	exchanges("edge", directory.Service, apiURI, downstream)
	exchanges("next", directory.Service, downstream, deep)
	exchanges("spa-exchange", directory.SPA, apiURI, downstream)

	return w
}

func exchange(id, subject string, more form) form {
	return client(id).with(form{
		"grant_type": string(oauth.GrantTokenExchange), "subject_token": subject, "subject_token_type": accessType,
	}).with(more)
}

// exchanged demands an access token for another.
func (w *world) exchanged(t *testing.T, id, subject string, more form) (answer, map[string]any) {
	t.Helper()
	got := w.post(t, exchange(id, subject, more))
	require.Equal(t, http.StatusOK, got.status, got.raw)
	return got, w.verified(t, got.str("access_token"), "at+jwt", "ES256")
}

func forAPI(c *grants.AuthorizationCode) { c.Resource = apiURI }

// signed signs claims as the platform does.
func (w *world) signed(t *testing.T, typ string, claims map[string]any) string {
	t.Helper()
	ring := signing.NewRing(signing.RingOptions{
		Schedule: keystore.New(w.db),
		Backend:  w.keeper,
		Now:      w.clock.Now,
		Logger:   testkit.Logger(t),
	})

	token, err := ring.Sign(t.Context(), signing.ES256, typ, claims)
	require.NoError(t, err)
	return token
}

func TestAnExchange(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		subject := w.signedIn(t, p, "keeper", forAPI).str("access_token")
		from := w.verified(t, subject, "at+jwt", "ES256")
		w.clock.Advance(time.Minute)
		got, claims := w.exchanged(t, "edge", subject, form{"audience": downstream, "scope": "api:read"})
		require.Equal(t, map[string]any{
			"access_token":      got.str("access_token"),
			"issued_token_type": accessType,
			"token_type":        "Bearer",
			"expires_in":        float64(59 * 60),
			"scope":             "api:read",
		}, got.body, "RFC 8693 2.2.1; no refresh token, no ID token")

		require.NotEqual(t, from["jti"], claims["jti"])
		delete(claims, "jti")
		now := float64(w.clock.Now().Unix())
		require.Equal(t, map[string]any{
			"iss":            issuer,
			"sub":            p.user.ID,
			"aud":            downstream,
			"exp":            from["exp"],
			"iat":            now,
			"gid":            from["gid"],
			"client_id":      "edge",
			"scope":          "api:read",
			"auth_time":      from["auth_time"],
			"acr":            "1",
			"amr":            []any{"pwd"},
			"sid":            p.session,
			"tenant_id":      "tnt_acme",
			"tenant_slug":    "acme",
			"app_scope":      "GLOBAL",
			"act":            map[string]any{"sub": "edge"},
			"exchanged_from": []any{from["jti"]},
		}, claims, "RFC 8693 4")

		require.Equal(t, 1, w.told(t, "token.exchanged"))

		_, claims = w.exchanged(t, "edge", subject, form{"resource": downstream})
		require.Equal(t, "openid profile email api:read", claims["scope"],
			"all that there is, where nothing is asked for")
		require.Equal(t, downstream, claims["aud"], "openid does not add the issuer")
		_, claims = w.exchanged(t, "edge", subject,
			form{"resource": downstream, "audience": downstream, "scope": "offline_access api:read"})
		require.Equal(t, "api:read", claims["scope"], "offline_access is dropped")
		_, claims = w.exchanged(t, "edge", subject, form{"requested_token_type": accessType})
		require.Equal(t, issuer, claims["aud"])
	})
}

func TestAnExchangeForAJWT(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		subject := w.signedIn(t, w.person(t), "keeper", forAPI).str("access_token")
		got := w.post(t, exchange("edge", subject, form{"audience": downstream, "requested_token_type": jwtType}))
		require.Equal(t, http.StatusOK, got.status, got.raw)
		require.Equal(t, "N_A", got.str("token_type"), "RFC 8693 2.2.1: it isn't an access token")
		require.Equal(t, jwtType, got.str("issued_token_type"))
		token := got.str("access_token")
		w.verified(t, token, "token-exchange+jwt", "ES256")

		for _, id := range []string{"edge", "next"} { // its client, and who serves what it is for
			told := w.introspect(t, client(id), token).body
			require.Equal(t, true, told["active"], "RFC 7662 2.2, to %s", id)
			require.Equal(t, "N_A", told["token_type"])
			require.Equal(t, map[string]any{"sub": "edge"}, told["act"], "RFC 8693 4.1")
		}

		require.Equal(t, inactive, w.introspect(t, client("keeper"), token).body)
		requireError(t, w.userinfo(t, token), 401, oauth.InvalidToken)
		_, claims := w.exchanged(t, "next", token, form{"subject_token_type": jwtType, "audience": deep})
		require.Equal(t, map[string]any{"sub": "next", "act": map[string]any{"sub": "edge"}}, claims["act"])
		requireError(t, w.post(t, exchange("next", token, nil)), 400, oauth.InvalidRequest) // it isn't an access_token
		_, claims = w.exchanged(t, "edge", subject, form{"subject_token_type": jwtType})
		require.Equal(t, "edge", claims["client_id"], "an access token is a jwt")

		w.revoke(t, client("next"), token)
		require.Equal(t, true, w.introspect(t, client("next"), token).body["active"],
			"another's is left alone (RFC 7009 2.1)")
		w.revoke(t, client("edge"), token)
		require.Equal(t, inactive, w.introspect(t, client("next"), token).body, "RFC 7009 2.2")
		requireError(t, w.post(t, exchange("next", token, form{"subject_token_type": jwtType, "audience": deep})),
			400, oauth.InvalidRequest)
	})
}

func TestWhatIsNotExchanged(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		forKeeper := w.signedIn(t, p, "keeper", forAPI)
		subject := forKeeper.str("access_token")
		elsewhere := w.signedIn(t, p, "keeper", nil).str("access_token")
		narrow := w.signedIn(t, p, "keeper",
			func(c *grants.AuthorizationCode) { c.Resource, c.Scope = apiURI, oauth.Scopes{"api:read"} }).str(
			"access_token")
		own := w.post(t, credentials.with(client("edge"))).str("access_token")
		w.keeps(t, "poor", directory.Service, func(a *directory.Application) {
			a.Grants, a.Scopes, a.ResourcesServed = []oauth.GrantType{oauth.GrantTokenExchange}, oauth.Scopes{"other"}, []string{apiURI}
		})
		old := w.verified(t, subject, "at+jwt", "ES256")
		old["exp"] = w.clock.Now().Unix()
		foreign := w.verified(t, subject, "at+jwt", "ES256")
		foreign["iss"] = "https://evil.test"
		moved := w.verified(t, subject, "at+jwt", "ES256")
		moved["tenant_id"] = "tnt_other"

		for name, tt := range map[string]struct {
			form  form
			error oauth.Code
		}{
			"no subject_token (RFC 8693 2.1)": {exchange("edge", "", nil), oauth.InvalidRequest},
			"no subject_token_type": {
				exchange("edge", subject, form{"subject_token_type": ""}), oauth.InvalidRequest,
			},
			"a subject_token_type of another kind": {
				exchange("edge", subject, form{"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}),
				oauth.InvalidRequest,
			},
			"a refresh token as subject": {
				exchange("keeper", forKeeper.str("refresh_token"), form{"subject_token_type": refreshType}),
				oauth.UnauthorizedClient,
			},
			"a refresh token as an access token": {
				exchange("edge", forKeeper.str("refresh_token"), nil), oauth.InvalidRequest,
			},
			"an ID token as an access token": {
				exchange("edge", forKeeper.str("id_token"), nil), oauth.InvalidRequest,
			},
			"another's ID token": {
				exchange("edge", forKeeper.str("id_token"), form{"subject_token_type": idType}), oauth.InvalidRequest,
			},
			"another's ID token as a jwt": {
				exchange("edge", forKeeper.str("id_token"), form{"subject_token_type": jwtType}), oauth.InvalidRequest,
			},
			"an access token as an ID token": {
				exchange("edge", subject, form{"subject_token_type": idType}), oauth.InvalidRequest,
			},
			"not a token":                     {exchange("edge", "x.y.z", nil), oauth.InvalidRequest},
			"a token for another application": {exchange("next", subject, nil), oauth.InvalidRequest},
			"another's token for userinfo":    {exchange("edge", elsewhere, nil), oauth.InvalidRequest},
			"an expired token (RFC 8693 2.2.2)": {
				exchange("edge", w.signed(t, "at+jwt", old), nil), oauth.InvalidRequest,
			},
			"another issuer's token": {
				exchange("edge", w.signed(t, "at+jwt", foreign), nil), oauth.InvalidRequest,
			},
			"a token of another tenant than its grant": {
				exchange("edge", w.signed(t, "at+jwt", moved), nil), oauth.InvalidRequest,
			},
			"a logout token": {
				exchange("edge", w.signed(t, "logout+jwt", foreign), form{"subject_token_type": jwtType}),
				oauth.InvalidRequest,
			},
			"an ID token is asked for": {
				exchange("edge", subject, form{"requested_token_type": idType}), oauth.InvalidRequest,
			},
			"a refresh token is asked for": {
				exchange("edge", subject, form{"requested_token_type": refreshType}), oauth.InvalidRequest,
			},
			"an actor_token without its type": {
				exchange("edge", subject, form{"actor_token": own}), oauth.InvalidRequest,
			},
			"an actor_token_type without a token": {
				exchange("edge", subject, form{"actor_token_type": accessType}), oauth.InvalidRequest,
			},
			"an actor_token of another kind": {
				exchange("edge", subject, form{"actor_token": own, "actor_token_type": refreshType}),
				oauth.InvalidRequest,
			},
			"an actor_token that is another's": {
				exchange("next", own, form{"actor_token": own, "actor_token_type": accessType}), oauth.InvalidRequest,
			},
			"an actor_token that is sent to the application": {
				exchange("edge", subject, form{"actor_token": subject, "actor_token_type": accessType}),
				oauth.InvalidRequest,
			},
			"an unknown audience (RFC 8693 2.2.2)": {
				exchange("edge", subject, form{"audience": "https://unknown.test"}), oauth.InvalidTarget,
			},
			"an unknown resource (RFC 8707 2)": {
				exchange("edge", subject, form{"resource": "https://unknown.test"}), oauth.InvalidTarget,
			},
			"another application's audience": {
				exchange("edge", subject, form{"audience": deep}), oauth.InvalidTarget,
			},
			"an audience and another resource": {
				exchange("edge", subject, form{"audience": downstream, "resource": apiURI}), oauth.InvalidTarget,
			},
			"a scope that the subject lacks": {
				exchange("edge", narrow, form{"scope": "api:read api:write"}), oauth.InvalidScope,
			},
			"a scope that the application lacks": {
				exchange("poor", narrow, form{"scope": "api:read"}), oauth.InvalidScope,
			},
			"no scope that both have": {exchange("poor", narrow, nil), oauth.InvalidScope},
			"only offline_access": {
				exchange("edge", subject, form{"scope": "offline_access"}), oauth.InvalidScope,
			},
			"a malformed scope": {
				exchange("edge", subject, form{"scope": `"`}), oauth.InvalidScope,
			},
			"an application without the grant": {exchange("api", subject, nil), oauth.UnauthorizedClient},
			"a public application with the grant": {
				exchange("spa-exchange", subject, form{"client_secret": ""}), oauth.UnauthorizedClient,
			},
		} {
			t.Run(name, func(t *testing.T) {
				requireError(t, w.post(t, tt.form), 400, tt.error)
			})
		}

		require.Zero(t, w.told(t, "token.exchanged"))
		requireError(t, w.post(t, exchange("edge", subject, form{"client_secret": "wrong"})), 401, oauth.InvalidClient)
		w.keeper.away.Store(true)
		requireError(t, w.post(t, exchange("edge", subject, nil)), 503, oauth.TemporarilyUnavailable)
	})
}

// RFC 8693 2.1, 3.
func TestAnIDTokenIsExchangedForWhatItsGrantAllows(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		tokens := w.signedIn(t, p, "front", nil)
		id := w.verified(t, tokens.str("id_token"), "JWT", "RS256")
		w.clock.Advance(time.Minute)

		for _, kind := range []string{idType, jwtType} {
			_, claims := w.exchanged(t, "front", tokens.str("id_token"),
				form{"subject_token_type": kind, "audience": downstream})
			require.Equal(t, "openid profile email api:read", claims["scope"])
			for _, same := range []string{"sub", "gid", "sid", "exp", "auth_time", "acr", "amr", "tenant_id"} {
				require.Equal(t, id[same], claims[same], same)
			}
		}

		requireError(t,
			w.post(t,
				exchange("front", tokens.str("id_token"),
					form{"subject_token_type": idType, "scope": "api:write"})), 400, oauth.InvalidScope)

		without := id
		delete(without, "gid")
		requireError(t, w.post(t, exchange("front", w.signed(t, "JWT", without), form{"subject_token_type": idType})),
			400, oauth.InvalidRequest)
		raw, err := json.Marshal(id)
		require.NoError(t, err)

		for name, value := range map[string]any{
			"aud":       []string{"front", "keeper"},
			"iss":       "https://evil.test",
			"sub":       "usr_other",
			"tenant_id": "tnt_other",
		} {
			var other map[string]any
			require.NoError(t, json.Unmarshal(raw, &other))
			other["gid"] = w.verified(t, tokens.str("access_token"), "at+jwt", "ES256")["gid"]
			other[name] = value
			requireError(t, w.post(t, exchange("front", w.signed(t, "JWT", other), form{"subject_token_type": idType})),
				400, oauth.InvalidRequest)
		}
	})
}

// RFC 8693 2.1.
func TestAnApplicationsOwnTokenIsExchanged(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		own := w.post(t, credentials.with(client("keeper")).with(form{"resource": apiURI})).str("access_token")
		got, claims := w.exchanged(t, "edge", own, form{"audience": downstream})
		require.Equal(t, "keeper", claims["sub"], "the subject is still the application that began")
		require.Equal(t, "edge", claims["client_id"])
		require.Equal(t, true, claims["platform_token"])
		require.Equal(t, "api:read api:write", claims["scope"])
		require.NotContains(t, claims, "gid")
		require.NotContains(t, claims, "tenant_id")
		require.Equal(t, true, w.introspect(t, client("next"), got.str("access_token")).body["active"])

		w.revoke(t, client("keeper"), own)
		requireError(t, w.post(t, exchange("edge", own, nil)), 400, oauth.InvalidRequest)
		w.keeps(t, "keeper", directory.Web, func(a *directory.Application) { a.Active = false })
		w.clock.Advance(6 * time.Second)
		require.Equal(t, inactive, w.introspect(t, client("next"), got.str("access_token")).body,
			"it ends with the person it stands for")
	})
}

func TestExchangesEndWithWhatTheSubjectTokenStandsFor(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		all := endings(w)
		all["the grant was revoked"] = func(t *testing.T, p person) {
			w.exec(t, `UPDATE grants SET revoked_at = $2 WHERE user_id = $1`, p.user.ID, database.At(w.clock.Now()))
		}

		for name, end := range all {
			t.Run(name, func(t *testing.T) {
				p := w.person(t)
				subject := w.signedIn(t, p, "keeper", forAPI).str("access_token")
				issued, _ := w.exchanged(t, "edge", subject, form{"audience": downstream})
				require.Equal(t, true, w.introspect(t, client("next"), issued.str("access_token")).body["active"])
				own := w.signedIn(t, p, "front", nil).str("id_token")
				end(t, p)
				requireError(t, w.post(t, exchange("edge", subject, nil)), 400, oauth.InvalidRequest)
				requireError(t, w.post(t, exchange("next", issued.str("access_token"), nil)), 400, oauth.InvalidRequest)
				requireError(t, w.post(t, exchange("front", own, form{"subject_token_type": idType})),
					400, oauth.InvalidRequest)
				require.Equal(t, inactive, w.introspect(t, client("next"), issued.str("access_token")).body)
			})
		}

		t.Run("the token was revoked by itself (RFC 7009)", func(t *testing.T) {
			subject := w.signedIn(t, w.person(t), "keeper", forAPI).str("access_token")
			w.revoke(t, client("keeper"), subject)
			requireError(t, w.post(t, exchange("edge", subject, nil)), 400, oauth.InvalidRequest)
		})

		t.Run("the application that it was issued to was disabled", func(t *testing.T) {
			subject := w.signedIn(t, w.person(t), "keeper", forAPI).str("access_token")
			issued, _ := w.exchanged(t, "edge", subject, form{"audience": downstream})
			w.keeps(t, "keeper", directory.Web, func(a *directory.Application) { a.Active = false })
			w.clock.Advance(6 * time.Second)
			requireError(t, w.post(t, exchange("edge", subject, nil)), 400, oauth.InvalidRequest)
			requireError(t, w.post(t, exchange("next", issued.str("access_token"), nil)), 400, oauth.InvalidRequest)
		})
	})
}
