package token_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const revokePath = "/api/v1/platform/oauth/revoke"

// revoke asks for a revocation and demands the answer that every token gets.
func (w *world) revoke(t *testing.T, own form, token string) {
	t.Helper()
	a := w.serve(aboutRequest(revokePath, own.with(form{"token": token}).encode()))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Empty(t, a.raw, "RFC 7009 2.2: the answer tells nothing")
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, "no-cache", a.header.Get("Pragma"))
}

func TestRevokingARefreshTokenEndsTheGrant(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		p := w.person(t)
		bystander := w.signedIn(t, p, "keeper", nil)

		for name, rotated := range map[string]bool{"the newest of the family": false, "one that was rotated": true} {
			t.Run(name, func(t *testing.T) {
				first := w.signedIn(t, p, "keeper", nil)
				next := w.refreshed(t, first.str("refresh_token"))
				token := next.str("refresh_token")
				if rotated {
					token = first.str("refresh_token")
				}

				told := w.told(t, "token.family_revoked")

				for range 2 { // again is 200 too, and told once
					w.revoke(t, client("keeper"), token)
				}

				requireError(t, w.post(t, refresh(next.str("refresh_token"))), 400, oauth.InvalidGrant)

				for _, tokens := range []answer{first, next} {
					requireError(t, w.userinfo(t, tokens.str("access_token")), 401, oauth.InvalidToken) // RFC 7009 2.1
				}

				require.Equal(t, told+1, w.told(t, "token.family_revoked"))
			})
		}

		require.Equal(t, http.StatusOK, w.userinfo(t, bystander.str("access_token")).status, "another grant lives on")
	})
}

func TestRevokingAnAccessTokenEndsItAlone(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		first := w.signedIn(t, w.person(t), "keeper", nil)
		next := w.refreshed(t, first.str("refresh_token"))
		own := w.post(t, credentials.with(client("keeper"))).str("access_token")
		for range 2 {
			// a wrong hint: RFC 7009 2.1
			w.revoke(t, client("keeper").with(form{"token_type_hint": "refresh_token"}), first.str("access_token"))
			// RFC 7009 2.2.1
			w.revoke(t, client("keeper").with(form{"token_type_hint": "nonsense"}), own)
		}

		requireError(t, w.userinfo(t, first.str("access_token")), 401, oauth.InvalidToken)

		for _, token := range []string{first.str("access_token"), own} {
			require.Equal(t, map[string]any{"active": false}, w.introspect(t, client("keeper"), token).body)
		}

		require.Equal(t, http.StatusOK, w.userinfo(t, next.str("access_token")).status, "the grant goes on")
		w.refreshed(t, next.str("refresh_token"))
	})
}

func TestWhatIsNotRevoked(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		w.keeps(t, "public", directory.Native, nil)
		tokens := w.signedIn(t, w.person(t), "keeper", nil)
		for name, own := range map[string]form{
			"another application":  client("web"),
			"a public application": credentialsOf("public", true),
		} {
			t.Run("another's tokens, by "+name, func(t *testing.T) {
				for _, token := range []string{
					tokens.str("refresh_token"), tokens.str("access_token"), tokens.str("id_token"),
				} {
					w.revoke(t, own, token)
				}
				require.Equal(t, http.StatusOK, w.userinfo(t, tokens.str("access_token")).status)
			})
		}

		for name, token := range map[string]string{
			"an unknown token": "nonsense",
			"no JWT":           "a.b.c",
			"a forged one":     tokens.str("access_token")[:50] + "." + "x.y",
			"very long":        strings.Repeat("a.", 9000),
		} {
			t.Run(name+" is 200 (RFC 7009 2.2)", func(t *testing.T) { w.revoke(t, client("keeper"), token) })
		}

		w.refreshed(t, tokens.str("refresh_token"))
		w.clock.Advance(2 * time.Hour)
		w.revoke(t, client("keeper"), tokens.str("access_token")) // over already
		var rows int
		require.NoError(t, db.Get(t.Context(), "test", &rows, `SELECT count(*) FROM revoked_tokens`))
		require.Zero(t, rows)
	})
}

func TestRevocationRequests(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		w.keeps(t, "public", directory.Native, nil)
		p := w.person(t)
		tokens := w.signedIn(t, p, "keeper", nil)
		good := client("keeper").with(form{"token": tokens.str("refresh_token")})
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
			"a token twice (RFC 6749 3.2)": {
				body:   good.encode() + "&token=x",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"nobody": {
				body:   form{"token": "x"}.encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a wrong secret (RFC 7009 2.1)": {
				body:   good.with(form{"client_secret": "wrong"}).encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a confidential one without a secret": {
				body:   good.with(form{"client_secret": ""}).encode(),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a TENANT application": {
				body:   good.with(client("tenant")).encode(),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"an ID token (RFC 7009 2.2.1)": {
				body:   good.with(form{"token": tokens.str("id_token")}).encode(),
				status: 400,
				error:  oauth.UnsupportedTokenType,
			},
			"a NUL": {
				body:   good.encode() + "&x=%00",
				status: 400,
				error:  oauth.InvalidRequest,
			},
		} {
			t.Run(name, func(t *testing.T) {
				requireError(t, w.do(t, aboutRequest(revokePath, tt.body)), tt.status, tt.error)
			})
		}

		w.refreshed(t, tokens.str("refresh_token"))

		code := w.code(t, p, nativeCode)
		public := w.post(t, redeem(code).with(credentialsOf("public", true)))
		require.Equal(t, http.StatusOK, public.status, public.raw)
		w.revoke(t, credentialsOf("public", true), public.str("refresh_token"))
		requireError(t, w.userinfo(t, public.str("access_token")), 401, oauth.InvalidToken)
	})
}
