package session

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
)

// kept redeems a code of a browser's session into an online grant with a refresh
// token, as the token service does.
func (w *world) kept(b *visitor, name string) *grants.RefreshToken {
	w.t.Helper()
	ctx, now := w.t.Context(), w.clock.Now()
	code := &grants.AuthorizationCode{
		Hash:        oauth.HashSecret("code " + name),
		ClientID:    "other",
		RedirectURI: "https://rp.test/cb",
		Scope:       oauth.Scopes{"openid"},
		GrantID:     "gnt_" + name,
		UserID:      "usr_ada",
		TenantID:    "tnt_acme",
		SessionID:   b.session().ID,
		AuthTime:    now,
		ACR:         "1",
		AMR:         []string{"pwd"},
		CreatedAt:   now,
		ExpiresAt:   now.Add(time.Minute),
	}

	require.NoError(w.t, grantstore.NewForAuthorize(w.db).Issue(ctx, code))
	first := &grants.RefreshToken{
		Hash:              oauth.HashSecret(name),
		GrantID:           code.GrantID,
		ClientID:          code.ClientID,
		Scope:             code.Scope,
		CreatedAt:         now,
		ExpiresAt:         now.Add(time.Hour),
		AbsoluteExpiresAt: now.Add(2 * time.Hour),
	}

	require.NoError(w.t, grantstore.NewForToken(w.db).Redeem(ctx, code.Hash, grants.Grant{
		ID:        code.GrantID,
		ClientID:  code.ClientID,
		UserID:    code.UserID,
		TenantID:  code.TenantID,
		SessionID: code.SessionID,
		Scope:     code.Scope,
		AuthTime:  now,
		ACR:       "1",
		AMR:       code.AMR,
		CreatedAt: now,
	}, first, first.ExpiresAt, now))

	return first
}

// OpenID Connect Back-Channel Logout 1.0 2.5: of a code that is redeemed in the very
// instant its session ends, either nothing comes, or its application is told.
func TestLogoutAgainstFiftyRedemptions(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		names := make([]string, racers)
		for i := range names {
			names[i] = fmt.Sprint("app", i)
			w.listening(names[i], "https://"+names[i]+".test/out", "")
		}

		var redeemed, refused int
		for round := range 10 {
			b := w.signedIn()
			s, now := b.session(), w.clock.Now()
			for _, name := range names {
				require.NoError(t, grantstore.NewForAuthorize(w.db).Issue(t.Context(), &grants.AuthorizationCode{
					Hash:        oauth.HashSecret(name + s.ID),
					ClientID:    name,
					RedirectURI: "https://rp.test/cb",
					Scope:       oauth.Scopes{"openid"},
					GrantID:     "gnt_" + name + s.ID,
					UserID:      s.UserID,
					TenantID:    s.TenantID,
					SessionID:   s.ID,
					AuthTime:    now,
					ACR:         "1",
					AMR:         []string{"pwd"},
					CreatedAt:   now,
					ExpiresAt:   now.Add(time.Minute),
				}))
			}

			tokens := grantstore.NewForToken(w.db)
			errs := make([]error, racers)
			var running sync.WaitGroup
			begun := make(chan struct{}, racers)
			for i, name := range names {
				running.Go(func() {
					begun <- struct{}{}
					errs[i] = tokens.Redeem(t.Context(), oauth.HashSecret(name+s.ID), grants.Grant{
						ID:        "gnt_" + name + s.ID,
						ClientID:  name,
						UserID:    s.UserID,
						TenantID:  s.TenantID,
						SessionID: s.ID,
						Scope:     oauth.Scopes{"openid"},
						AuthTime:  now,
						ACR:       "1",
						AMR:       []string{"pwd"},
						CreatedAt: now,
					}, nil, now.Add(time.Hour), now)
				})
			}

			for range racers / 10 * round { // a little later each time
				<-begun
			}

			require.NoError(t, sqlstore.New(w.service).End(t.Context(), s.ID, now))
			running.Wait()

			var told []string
			require.NoError(t,
				w.db.Select(t.Context(), "test", &told,
					`SELECT client_id FROM logout_outbox WHERE session_id = $1`, s.ID))

			for i, name := range names {
				if errs[i] == nil {
					redeemed++
					require.Contains(t, told, name)
					require.True(t, w.revoked("gnt_"+name+s.ID))
				} else {
					refused++
					require.ErrorIs(t, errs[i], grants.ErrExpired)
				}
			}
		}

		t.Logf("%d redeemed, %d refused", redeemed, refused)
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2: a client that refreshes while the person
// logs out holds nothing that works afterwards.
func TestLogoutAgainstFiftyRefreshes(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		sign, b := w.signer(), w.signedIn()
		hint := sign("JWT", idToken(b.session().ID))
		tokens := grantstore.NewForToken(w.db)
		families := make([]*grants.RefreshToken, racers)
		for i := range families {
			families[i] = w.kept(b, fmt.Sprint("family ", i))
		}

		var running sync.WaitGroup
		started, end := make(chan struct{}, racers), make(chan struct{})
		last := make([][]byte, racers) // the token that each would refresh with next
		for i, f := range families {
			running.Go(func() {
				last[i] = f.Hash

				for n := 0; ; n++ {
					next := &grants.Rotation{
						OldHash:        last[i],
						NewHash:        oauth.HashSecret(fmt.Sprint(i, " ", n)),
						GrantID:        f.GrantID,
						ClientID:       f.ClientID,
						Seal:           []byte("sealed"),
						ExpiresAt:      f.ExpiresAt,
						GrantExpiresAt: f.ExpiresAt,
					}

					err := tokens.Rotate(t.Context(), next, w.clock.Now())

					if n == 0 {
						started <- struct{}{}
					}

					select {
					case <-end:
						if err == nil { // one that came in at the last moment: the next does not
							last[i] = next.NewHash
						}
						return
					default:
					}

					if err != nil {
						return
					}

					last[i] = next.NewHash
				}
			})
		}

		for range racers / 2 {
			<-started
		}

		answer := b.Get(query("id_token_hint", hint, "post_logout_redirect_uri", bye))
		close(end)
		require.Equal(t, http.StatusSeeOther, answer.Status)
		running.Wait()

		for i, f := range families {
			found, err := tokens.Refreshable(t.Context(), last[i], w.clock.Now())
			require.NoError(t, err)
			require.False(t, found.Live(), "userinfo and introspection refuse too")
			require.ErrorIs(t, tokens.Rotate(t.Context(), &grants.Rotation{
				OldHash:        last[i],
				NewHash:        oauth.HashSecret(fmt.Sprint("late ", i)),
				GrantID:        f.GrantID,
				ClientID:       f.ClientID,
				Seal:           []byte("sealed"),
				ExpiresAt:      f.ExpiresAt,
				GrantExpiresAt: f.ExpiresAt,
			}, w.clock.Now()), grants.ErrRevoked)
		}
	})
}
