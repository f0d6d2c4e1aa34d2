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

// RFC 9700 4.14.2: unused ones expire, and all do in the end.
func TestHowLongRefreshTokensLive(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		const day = 24 * time.Hour
		for name, tt := range map[string]struct {
			own   func(*directory.Application)
			waits []time.Duration // before each refresh; all but the last succeed
		}{
			"thirty days unused":                     {waits: []time.Duration{30 * day}},
			"ninety days in all, however often used": {waits: []time.Duration{29 * day, 29 * day, 29 * day, 3 * day}},
			"the application's own idle time": {
				own:   func(a *directory.Application) { a.RefreshIdleTTL = time.Hour },
				waits: []time.Duration{59 * time.Minute, 59 * time.Minute, time.Hour},
			},
			"the application's own life of a family": {
				own:   func(a *directory.Application) { a.RefreshTokenTTL = time.Hour },
				waits: []time.Duration{40 * time.Minute, 20 * time.Minute},
			},
			"an idle time longer than the whole life": {
				own:   func(a *directory.Application) { a.RefreshTokenTTL, a.RefreshIdleTTL = time.Hour, day },
				waits: []time.Duration{time.Hour},
			},
		} {
			t.Run(name, func(t *testing.T) {
				id := newID(t, "app_")
				w.keeps(t, id, directory.Web, tt.own)
				token := w.signedIn(t, w.person(t), id, offline).str("refresh_token")
				for i, wait := range tt.waits {
					w.clock.Advance(wait)
					got := w.post(t, refresh(token).with(client(id)))
					if i == len(tt.waits)-1 {
						requireError(t, got, 400, oauth.InvalidGrant)
						require.Contains(t, got.str("error_description"), "expired")
						return
					}

					require.Equal(t, http.StatusOK, got.status, got.raw)
					token = got.str("refresh_token")
				}
			})
		}
	})
}

func TestARefreshTokenEndsWithWhatItStandsFor(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		all := endings(w)
		all["the consent was withdrawn"] = func(t *testing.T, p person) {
			w.exec(t, `UPDATE grants SET revoked_at = $2 WHERE user_id = $1`, p.user.ID, database.At(w.clock.Now()))
		}

		for name, end := range all {
			for kind, change := range map[string]func(*grants.AuthorizationCode){"online": nil, "offline": offline} {
				t.Run(name+", "+kind, func(t *testing.T) {
					p := w.person(t)
					fresh := w.signedIn(t, p, "keeper", change).str("refresh_token")
					rotated := w.signedIn(t, p, "keeper", change).str("refresh_token")
					w.refreshed(t, rotated)
					end(t, p)

					for _, token := range []string{fresh, rotated} {
						got := w.post(t, refresh(token))
						if kind == "offline" && strings.HasPrefix(name, "the session") {
							require.Equal(t, http.StatusOK, got.status, got.raw)
							require.Equal(t, p.session, w.verified(t, got.str("id_token"), "JWT", "RS256")["sid"],
								"kept (OpenID Connect Core 12.2)")
							continue
						}

						requireError(t, got, 400, oauth.InvalidGrant)
					}
				})
			}
		}
	})
}

// RFC 6749 5.2, 6.
func TestARefreshTokenEndsWithItsApplication(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		token := w.signedIn(t, w.person(t), "keeper", offline).str("refresh_token")
		w.keeps(t, "keeper", directory.Web, func(a *directory.Application) { a.Grants = a.Grants[:len(a.Grants)-1] })
		w.clock.Advance(6 * time.Second)
		requireError(t, w.post(t, refresh(token)), 400, oauth.UnauthorizedClient)
		w.keeps(t, "keeper", directory.Web,
			func(a *directory.Application) { a.Scopes = oauth.Scopes{"openid", "api:read"} })
		w.clock.Advance(6 * time.Second)
		got := w.refreshed(t, token)
		require.Equal(t, "openid api:read", got.str("scope"), "it lost a scope since")
		w.keeps(t, "keeper", directory.Web, func(a *directory.Application) { a.Active = false })
		w.clock.Advance(6 * time.Second)
		requireError(t, w.post(t, refresh(got.str("refresh_token"))), 401, oauth.InvalidClient)
	})
}

// RFC 9110 15.6.4.
func TestARefreshBurnsNothingWhileTheKeysAreAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		token := w.signedIn(t, w.person(t), "keeper", nil).str("refresh_token")
		w.keeper.away.Store(true)
		got := w.post(t, refresh(token))
		requireError(t, got, 503, oauth.TemporarilyUnavailable)
		require.Equal(t, "1", got.header.Get("Retry-After"))
		w.keeper.away.Store(false)
		w.clock.Advance(time.Minute)
		w.refreshed(t, token)
	})
}

// RFC 6749 10.4: confidential in storage, too.
func TestRefreshTokensAreKeptAsHashesAndSealsOnly(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		first := w.signedIn(t, w.person(t), "keeper", nil).str("refresh_token")
		second := w.refreshed(t, first).str("refresh_token")
		var rows []struct {
			Hash []byte `db:"token_hash"`
			Seal []byte `db:"successor_seal"`
		}
		require.NoError(t,
			db.Select(t.Context(), "test", &rows,
				`SELECT token_hash, successor_seal FROM refresh_tokens ORDER BY created_at, rotated_at`))
		require.Len(t, rows, 2)
		sealed := 0
		for _, row := range rows {
			require.Contains(t, [][]byte{oauth.HashSecret(first), oauth.HashSecret(second)}, row.Hash)
			require.NotContains(t, string(row.Seal), second)
			if row.Seal != nil {
				sealed++
			}
		}

		require.Equal(t, 1, sealed)
		require.NotContains(t, w.logs.String(), first)
		require.NotContains(t, w.logs.String(), second)
	})
}
