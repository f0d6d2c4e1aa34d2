package sqlstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// revoke ends a grant; ended says whether it was alive until then.
func revoke(t *testing.T, store *sqlstore.ForToken, grantID string, at time.Time, ended bool) {
	t.Helper()
	got, err := store.RevokeGrant(t.Context(), grantID, at)
	require.NoError(t, err)
	require.Equal(t, ended, got)
}

// family redeems a code into a grant whose first refresh token is secret.
func family(t testing.TB, db *database.DB, secret string, offline bool) *grants.RefreshToken {
	t.Helper()
	code := issued(t, db, "code-"+secret, func(c *grants.AuthorizationCode) { c.Offline = offline })
	first := &grants.RefreshToken{
		Hash:              oauth.HashSecret(secret),
		GrantID:           code.GrantID,
		ClientID:          code.ClientID,
		Scope:             code.Scope,
		CreatedAt:         flowStart,
		ExpiresAt:         flowStart.Add(30 * time.Minute),
		AbsoluteExpiresAt: flowStart.Add(50 * time.Minute),
	}

	require.NoError(t,
		sqlstore.NewForToken(db).Redeem(t.Context(), code.Hash, grantOf(code), first, first.ExpiresAt, flowStart))

	return first
}

// rotation replaces a token by next.
func rotation(old *grants.RefreshToken, next string) *grants.Rotation {
	return &grants.Rotation{
		OldHash:        old.Hash,
		NewHash:        oauth.HashSecret(next),
		GrantID:        old.GrantID,
		ClientID:       old.ClientID,
		Seal:           []byte("sealed " + next),
		ExpiresAt:      flowStart.Add(40 * time.Minute),
		GrantExpiresAt: flowStart.Add(9 * time.Hour),
	}
}

func TestARefreshTokenIsReadWithEverythingARefreshIsDecidedOn(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		first := family(t, db, "a", true)
		standing, err := store.Standing(t.Context(), first.GrantID, nil, flowStart)
		require.NoError(t, err)
		found, err := store.Refreshable(t.Context(), first.Hash, flowStart)
		require.NoError(t, err)
		require.Equal(t, &grants.Refreshable{RefreshToken: *first, Standing: *standing}, found)
		require.True(t, found.Live())
		require.Equal(t, []string{oauth.AMRPassword}, found.Grant.AMR)
		require.Equal(t, flowStart.Add(-time.Minute), found.Grant.AuthTime)
		_, err = store.Refreshable(t.Context(), oauth.HashSecret("b"), flowStart)
		require.ErrorIs(t, err, grants.ErrNotFound)
	})
}

// RFC 9700 4.14.2.
func TestARefreshTokenIsRotatedOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		first := family(t, db, "a", true)
		now := flowStart.Add(time.Minute)
		require.NoError(t, store.Rotate(t.Context(), rotation(first, "b"), now))
		require.ErrorIs(t, store.Rotate(t.Context(), rotation(first, "c"), now), grants.ErrConsumed)

		old, err := store.Refreshable(t.Context(), first.Hash, now)
		require.NoError(t, err)
		require.Equal(t, now, old.RotatedAt)
		require.Equal(t, []byte("sealed b"), old.SuccessorSeal)
		require.Equal(t, oauth.HashSecret("b"), old.SuccessorHash)
		require.False(t, old.SuccessorUsed)
		next, err := store.Refreshable(t.Context(), oauth.HashSecret("b"), now)
		require.NoError(t, err)
		require.Equal(t, grants.RefreshToken{
			Hash:              oauth.HashSecret("b"),
			GrantID:           first.GrantID,
			ClientID:          first.ClientID,
			Scope:             first.Scope,
			CreatedAt:         now,
			ExpiresAt:         flowStart.Add(40 * time.Minute),
			AbsoluteExpiresAt: first.AbsoluteExpiresAt,
		}, next.RefreshToken)

		require.Equal(t, 1, count(t, db, "grants WHERE expires_at > "+literal(flowStart.Add(8*time.Hour), db)),
			"the grant lives as long as the family")

		require.NoError(t,
			store.Repeat(t.Context(), old.SuccessorHash, first.GrantID, flowStart.Add(10*time.Hour), now))
		require.Equal(t, 1, count(t, db, "grants WHERE expires_at > "+literal(flowStart.Add(9*time.Hour), db)))
		require.NoError(t, store.Repeat(t.Context(), old.SuccessorHash, first.GrantID, flowStart, now),
			"and is never shortened")
		require.Equal(t, 1, count(t, db, "grants WHERE expires_at > "+literal(flowStart.Add(9*time.Hour), db)))
		require.ErrorIs(t,
			store.Repeat(t.Context(), old.SuccessorHash, "grt_other", flowStart, now), grants.ErrConsumed)
		require.NoError(t, store.Rotate(t.Context(), rotation(&next.RefreshToken, "c"), now))
		old, err = store.Refreshable(t.Context(), first.Hash, now)
		require.NoError(t, err)
		require.True(t, old.SuccessorUsed)
		require.ErrorIs(t, store.Repeat(t.Context(), old.SuccessorHash, first.GrantID, flowStart, now),
			grants.ErrConsumed, "the successor was used")
	})
}

// literal is a time as the dialect writes it.
func literal(at time.Time, db *database.DB) string {
	if db.Dialect() == database.Postgres {
		return "'" + at.Format(time.RFC3339Nano) + "'"
	}
	return strconv.FormatInt(at.UnixMicro(), 10)
}

// RFC 6749 6.
func TestARefreshTokenIsNotRotated(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		ended := func(sql string) func(*testing.T) {
			return func(t *testing.T) { change(t, db, sql, database.At(flowStart)) }
		}
		for name, tt := range map[string]struct {
			before  func(*testing.T)
			alter   func(*grants.Rotation)
			after   time.Duration
			offline bool
			want    error
		}{
			"when it does not exist": {
				alter: func(r *grants.Rotation) { r.OldHash = oauth.HashSecret("x") },
				want:  grants.ErrNotFound,
			},
			"by another client": {
				alter: func(r *grants.Rotation) { r.ClientID = "app_other" },
				want:  grants.ErrNotFound,
			},
			"into another grant": {
				alter: func(r *grants.Rotation) { r.GrantID = "grt_other" },
				want:  grants.ErrNotFound,
			},
			"when it is over": {after: 30 * time.Minute, want: grants.ErrExpired},
			"when the grant was revoked": {
				before:  ended(`UPDATE grants SET revoked_at = $1`),
				offline: true,
				want:    grants.ErrRevoked,
			},
			"when the session has ended": {
				before: ended(`UPDATE sessions SET ended_at = $1`),
				want:   grants.ErrRevoked,
			},
			"when the session has expired": {
				before: ended(`UPDATE sessions SET expires_at = $1`),
				want:   grants.ErrRevoked,
			},
			"but is when only the session of an offline": {
				before:  ended(`UPDATE sessions SET ended_at = $1`),
				offline: true,
			},
			"but is a microsecond before its end": {after: 30*time.Minute - time.Microsecond},
		} {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				seedPeople(t, db)
				r := rotation(family(t, db, "a", tt.offline), "b")

				if tt.before != nil {
					tt.before(t)
				}

				if tt.alter != nil {
					tt.alter(r)
				}

				err := sqlstore.NewForToken(db).Rotate(t.Context(), r, flowStart.Add(tt.after))
				if tt.want == nil {
					require.NoError(t, err)
					return
				}

				require.ErrorIs(t, err, tt.want)
				require.Equal(t, 1, count(t, db, "refresh_tokens WHERE rotated_at IS NULL"), "nothing is burnt")
				require.Equal(t, 1, count(t, db, "refresh_tokens"))
			})
		}
	})
}

// RFC 9700 4.14.2.
func TestOfFiftyRotationsAtOnceOneSucceeds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		first := family(t, db, "a", true)
		requireOneWinner(t, func(i int) error {
			return store.Rotate(t.Context(), rotation(first, strconv.Itoa(i)), flowStart)
		})
		require.Equal(t, 2, count(t, db, "refresh_tokens"))
	})
}

func TestARotationAndARevocationAtOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		families := make([]*grants.RefreshToken, racers/2)
		for i := range families {
			families[i] = family(t, db, strconv.Itoa(i), true)
		}

		_, failed := race(racers, func(i int) error {
			one := families[i/2]
			if i%2 == 0 {
				_, err := store.RevokeGrant(t.Context(), one.GrantID, flowStart)
				return err
			}
			return store.Rotate(t.Context(), rotation(one, "next"+strconv.Itoa(i)), flowStart)
		})
		for _, err := range failed {
			require.True(t, errors.Is(err, grants.ErrRevoked), err)
		}

		for _, one := range families {
			found, err := store.Refreshable(t.Context(), one.Hash, flowStart)
			require.NoError(t, err)
			require.False(t, found.Live(), "whichever came first")
		}
	})
}

func TestAFamilyEndsByAnyOfItsTokens(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		first := family(t, db, "a", true)
		require.NoError(t, store.Rotate(t.Context(), rotation(first, "b"), flowStart))

		for name, tt := range map[string]struct{ secret, client string }{
			"an unknown token": {"x", first.ClientID}, "another client's": {"a", "app_other"},
		} {
			ended, err := store.RevokeFamily(t.Context(), oauth.HashSecret(tt.secret), tt.client, flowStart)
			require.NoError(t, err, name)
			require.Nil(t, ended, "RFC 7009 2.1: %s", name)
		}

		ended, err := store.RevokeFamily(t.Context(), first.Hash, first.ClientID, flowStart)
		require.NoError(t, err)
		require.Equal(t, &grants.Grant{
			ID:        first.GrantID,
			ClientID:  first.ClientID,
			UserID:    flowUser.ID,
			TenantID:  flowTenant.ID,
			SessionID: "ses_1",
			RevokedAt: flowStart,
		}, ended)

		ended, err = store.RevokeFamily(t.Context(), oauth.HashSecret("b"), first.ClientID, flowStart)
		require.NoError(t, err)
		require.Nil(t, ended, "it had ended")
		next, err := store.Refreshable(t.Context(), oauth.HashSecret("b"), flowStart)
		require.NoError(t, err)
		require.False(t, next.Live())
	})
}

// RFC 7009 2.1.
func TestAnAccessTokenIsRevokedByItself(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		grant := redeemed(t, db, "a", nil)
		_, failed := race(racers,
			func(int) error { return store.RevokeToken(t.Context(), "jti_1", flowStart.Add(time.Hour)) })
		require.Empty(t, failed, "repeating it isn't an error")

		for jti, want := range map[string]bool{"jti_1": true, "jti_2": false, "": false} {
			revoked, err := store.TokenRevoked(t.Context(), jti)
			require.NoError(t, err)
			require.Equal(t, want, revoked)
			standing, err := store.Standing(t.Context(), grant.ID, []string{jti}, flowStart)
			require.NoError(t, err)
			require.Equal(t, want, standing.TokenRevoked)
			require.Equal(t, !want, standing.Live())
		}
	})
}

func TestWhatRefreshingLeavesBehindGoes(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		first := family(t, db, "a", true)
		require.NoError(t, store.Rotate(t.Context(), rotation(first, "b"), flowStart))
		require.NoError(t, store.RevokeToken(t.Context(), "jti_1", flowStart.Add(time.Hour)))
		sweep := func(after time.Duration, want int) {
			t.Helper()
			n, err := store.DeleteExpired(t.Context(), flowStart.Add(after), 100)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}

		sweep(grants.MaxRefreshGrace-time.Microsecond, 0)
		sweep(grants.MaxRefreshGrace, 1)
		require.Zero(t, count(t, db, "refresh_tokens WHERE successor_seal IS NOT NULL"),
			"the seal is erased after the grace")
		sweep(30*time.Minute, 1) // the first of the family
		require.Equal(t, 1, count(t, db, "refresh_tokens"))
		sweep(40*time.Minute, 1)
		sweep(time.Hour, 1) // the revocation
		require.Zero(t, count(t, db, "revoked_tokens"))
		sweep(9*time.Hour, 1) // the grant
	})
}

func TestTheRefreshingRoleAndCallersWhoWentAway(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	seedPeople(t, owner)
	code := issued(t, owner, "code-a", nil)
	store := sqlstore.NewForToken(testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_token")))
	first := &grants.RefreshToken{
		Hash:              oauth.HashSecret("a"),
		GrantID:           code.GrantID,
		ClientID:          code.ClientID,
		Scope:             code.Scope,
		CreatedAt:         flowStart,
		ExpiresAt:         flowStart.Add(time.Hour),
		AbsoluteExpiresAt: flowStart.Add(time.Hour),
	}

	require.NoError(t, store.Redeem(t.Context(), code.Hash, grantOf(code), first, first.ExpiresAt, flowStart))
	calls := map[string]func(context.Context) error{
		"Refreshable": func(ctx context.Context) error {
			_, err := store.Refreshable(ctx, first.Hash,
				flowStart)
			return err
		},
		"Rotate":       func(ctx context.Context) error { return store.Rotate(ctx, rotation(first, "b"), flowStart) },
		"RevokeToken":  func(ctx context.Context) error { return store.RevokeToken(ctx, "jti", flowStart) },
		"TokenRevoked": func(ctx context.Context) error { _, err := store.TokenRevoked(ctx, "jti"); return err },
		"RevokeFamily": func(ctx context.Context) error {
			_, err := store.RevokeFamily(ctx, first.Hash, "app_other", flowStart)
			return err
		},
		"DeleteExpired": func(ctx context.Context) error {
			_, err := store.DeleteExpired(ctx, flowStart.Add(2*time.Minute), 9)
			return err
		},
	}

	requireCanceled(t, calls)

	for name, call := range calls {
		require.NoError(t, call(t.Context()), name)
	}

	require.NoError(t, store.Repeat(t.Context(), oauth.HashSecret("b"), first.GrantID, flowStart, flowStart))

	for _, group := range []string{"platform_device", "platform_authorize", "platform_session"} {
		other := sqlstore.NewForToken(testkit.OpenPostgres(t, server.LoginURL(t, url, group)))
		_, err := other.Refreshable(t.Context(), first.Hash, flowStart)
		require.ErrorContains(t, err, "permission denied", "a broken-into %s reads no refresh token", group)
	}
}
