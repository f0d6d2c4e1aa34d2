package sqlstore_test

import (
	"context"
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

// issued stores a code for the person of seedPeople.
func issued(
	t testing.TB, db *database.DB, secret string, alter func(*grants.AuthorizationCode),
) *grants.AuthorizationCode {
	t.Helper()
	code := newCode(secret, "")
	if alter != nil {
		alter(code)
	}

	require.NoError(t, sqlstore.NewForAuthorize(db).Issue(t.Context(), code))
	return code
}

// redeemed stores a code and redeems it, for tokens that live an hour.
func redeemed(t *testing.T, db *database.DB, secret string, alter func(*grants.AuthorizationCode)) grants.Grant {
	t.Helper()
	code := issued(t, db, secret, alter)
	grant := grantOf(code)
	require.NoError(t,
		sqlstore.NewForToken(db).Redeem(t.Context(), code.Hash, grant, nil, flowStart.Add(time.Hour), flowStart))
	return grant
}

func TestACodeIsReadWithEverythingItsRedemptionIsDecidedOn(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		code := issued(t, db, "a", nil)
		got, err := sqlstore.NewForToken(db).Redeemable(t.Context(), code.Hash, flowStart)
		require.NoError(t, err)
		require.Equal(t, &grants.Redeemable{
			AuthorizationCode: *code,
			User:              flowUser,
			Tenant:            flowTenant,
			Behind:            grants.Behind{Member: true, AppActive: true},
			SessionLive:       true,
		}, got)

		require.True(t, got.Live())
		_, err = sqlstore.NewForToken(db).Redeemable(t.Context(), oauth.HashSecret("another"), flowStart)
		require.ErrorIs(t, err, grants.ErrNotFound)
	})
}

// gone are ways in which what stands behind a code or a grant may end, with what
// is true of it afterwards.
var gone = map[string]struct {
	sql                           string
	args                          []any
	user, tenant, member, session bool
}{
	"nothing ended": {
		sql:     `UPDATE users SET name = name`,
		user:    true,
		tenant:  true,
		member:  true,
		session: true,
	},
	"the user was disabled": {
		sql:     `UPDATE users SET disabled_at = $1`,
		args:    []any{database.At(flowStart)},
		tenant:  true,
		member:  true,
		session: true,
	},
	"the user was removed": {sql: `DELETE FROM users`, tenant: true},
	"the tenant was disabled": {
		sql:     `UPDATE tenants SET disabled_at = $1`,
		args:    []any{database.At(flowStart)},
		user:    true,
		member:  true,
		session: true,
	},
	"the tenant was removed": {sql: `DELETE FROM tenants`, user: true, session: true},
	"the membership ended":   {sql: `DELETE FROM memberships`, user: true, tenant: true, session: true},
	"the session ended": {
		sql:    `UPDATE sessions SET ended_at = $1`,
		args:   []any{database.At(flowStart)},
		user:   true,
		tenant: true,
		member: true,
	},
	"the session expired": {
		sql:    `UPDATE sessions SET expires_at = $1`,
		args:   []any{database.At(flowStart)},
		user:   true,
		tenant: true,
		member: true,
	},
	"the session was removed": {sql: `DELETE FROM sessions`, user: true, tenant: true, member: true},
	"the session is about to": {
		sql:     `UPDATE sessions SET expires_at = $1`,
		args:    []any{database.At(flowStart.Add(time.Microsecond))},
		user:    true,
		tenant:  true,
		member:  true,
		session: true,
	},
}

func TestWhatStandsBehindACodeAndAGrantMayEnd(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range gone {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				seedPeople(t, db)
				store := sqlstore.NewForToken(db)
				grant := redeemed(t, db, "grant", nil)
				code := issued(t, db, "code", nil)
				change(t, db, tt.sql, tt.args...)

				r, err := store.Redeemable(t.Context(), code.Hash, flowStart)
				require.NoError(t, err)
				require.Equal(t, [4]bool{tt.user, tt.tenant, tt.member, tt.session},
					[4]bool{r.User.Active, r.Tenant.Active, r.Member, r.SessionLive})
				require.Equal(t, tt.user && tt.tenant && tt.member && tt.session, r.Live())
				require.Equal(t, code.UserID, r.User.ID)

				s, err := store.Standing(t.Context(), grant.ID, nil, flowStart)
				require.NoError(t, err)
				require.Equal(t, [4]bool{tt.user, tt.tenant, tt.member, tt.session},
					[4]bool{s.User.Active, s.Tenant.Active, s.Member, s.SessionLive})
				require.Equal(t, grant, s.Grant)

				err = store.Redeem(t.Context(), code.Hash, grantOf(code), nil, flowStart.Add(time.Hour), flowStart)
				if r.Live() {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, grants.ErrRevoked)
					require.Equal(t, 1, count(t, db, "grants"))
				}
			})
		}
	})
}

func TestACodeIsRedeemedOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		code := issued(t, db, "a", nil)
		grant := grantOf(code)
		grant.CreatedAt = bornElsewhere
		now := flowStart.Add(30 * time.Second)
		require.NoError(t, store.Redeem(t.Context(), code.Hash, grant, nil, flowStart.Add(time.Hour), now))

		standing, err := store.Standing(t.Context(), grant.ID, nil, now)
		require.NoError(t, err)
		require.Equal(t, &grants.Standing{
			Grant:       grantOf(code),
			User:        flowUser,
			Tenant:      flowTenant,
			Behind:      grants.Behind{Member: true, AppActive: true},
			SessionLive: true,
		}, standing)

		r, err := store.Redeemable(t.Context(), code.Hash, now)
		require.NoError(t, err)
		require.Equal(t, now, r.ConsumedAt, "a replay finds what to revoke (RFC 6749 4.1.2)")
		require.Equal(t, grant.ID, r.GrantID)
		require.ErrorIs(t,
			store.Redeem(t.Context(), code.Hash, grant, nil, flowStart.Add(time.Hour), now), grants.ErrConsumed)
		require.ErrorIs(t,
			store.Redeem(t.Context(), code.Hash, grant, nil, flowStart.Add(time.Hour), now.Add(time.Hour)),
			grants.ErrConsumed, "also long after")
	})
}

// RFC 6749 4.1.3, 5.2.
func TestACodeIsNotRedeemed(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range map[string]struct {
			code  string
			grant string
			after time.Duration
			want  error
		}{
			"when it does not exist": {code: "b", grant: "grt_a", want: grants.ErrNotFound},
			"when it is over": {
				code:  "a",
				grant: "grt_a",
				after: time.Minute,
				want:  grants.ErrExpired,
			},
			"when the session is over as well": {
				code:  "a",
				grant: "grt_a",
				after: 2 * time.Hour,
				want:  grants.ErrExpired,
			},
			"for a grant that is not its own": {code: "a", grant: "grt_b", want: grants.ErrNotFound},
			"but is a microsecond before its end": {
				code:  "a",
				grant: "grt_a",
				after: time.Minute - time.Microsecond,
				want:  nil,
			},
		} {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				seedPeople(t, db)
				grant := grantOf(issued(t, db, "a", nil))
				grant.ID = tt.grant
				err := sqlstore.NewForToken(db).Redeem(t.Context(), oauth.HashSecret(tt.code), grant, nil,
					flowStart.Add(time.Hour), flowStart.Add(tt.after))
				if tt.want == nil {
					require.NoError(t, err)
					return
				}

				require.ErrorIs(t, err, tt.want)
				require.Zero(t, count(t, db, "grants"))
				require.Zero(t, count(t, db, "authorization_codes WHERE consumed_at IS NOT NULL"),
					"the code is not burned")
			})
		}
	})
}

func TestAGrantThatCannotBeStoredDoesNotBurnTheCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		code := issued(t, db, "a", nil)
		change(t, db,
			`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
			VALUES ('grt_a', 'c', 'u', 't', 's', 'openid', false, $1, $1)`, database.At(flowStart))
		err := sqlstore.NewForToken(db).Redeem(t.Context(), code.Hash, grantOf(code), nil,
			flowStart.Add(time.Hour), flowStart)
		require.Equal(t, database.KindConflict, database.Classify(t.Context(), err))
		require.Zero(t, count(t, db, "authorization_codes WHERE consumed_at IS NOT NULL"))
	})
}

// RFC 6749 4.1.2.
func TestOfFiftyRedemptionsAtOnceOneSucceeds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		code := issued(t, db, "a", nil)
		requireOneWinner(t, func(int) error {
			return store.Redeem(t.Context(), code.Hash, grantOf(code), nil, flowStart.Add(time.Hour), flowStart)
		})
		require.Equal(t, 1, count(t, db, "grants"))
	})
}

func TestFromRequestToGrantOnceWhoeverTries(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		waiting(t, db, "flw_1", grants.Consented)
		authorize, token := sqlstore.NewForAuthorize(db), sqlstore.NewForToken(db)
		requireOneWinner(t, func(i int) error {
			code := newCode(strconv.Itoa(i), "flw_1")
			if err := authorize.IssueFromRequest(t.Context(), code, flowStart); err != nil {
				return err
			}
			return token.Redeem(t.Context(), code.Hash, grantOf(code), nil, flowStart.Add(time.Hour), flowStart)
		})

		require.Equal(t, 1, count(t, db, "grants"))
	})
}

func TestRedeemingWhileTheSessionEnds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		codes := make([]*grants.AuthorizationCode, racers)
		for i := range codes {
			codes[i] = issued(t, db, strconv.Itoa(i), func(c *grants.AuthorizationCode) { c.Offline = false })
		}

		_, failed := race(racers, func(i int) error {
			if i == racers/2 {
				change(t, db, `UPDATE sessions SET ended_at = $1`, database.At(flowStart))
				return nil
			}
			return store.Redeem(t.Context(), codes[i].Hash, grantOf(codes[i]), nil, flowStart.Add(time.Hour), flowStart)
		})
		for _, err := range failed {
			require.ErrorIs(t, err, grants.ErrRevoked)
		}

		for _, code := range codes {
			standing, err := store.Standing(t.Context(), code.GrantID, nil, flowStart)
			if err != nil {
				require.ErrorIs(t, err, grants.ErrNotFound)
				continue
			}
			require.False(t, standing.Live(), "an online grant ends with its session, whichever came first")
		}
	})
}

func TestAGrantIsRevokedOnceAndForAll(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		grant := redeemed(t, db, "a", nil)
		_, failed := race(racers, func(i int) error {
			_, err := store.RevokeGrant(t.Context(), grant.ID, flowStart.Add(time.Second))
			return err
		})
		require.Empty(t, failed)
		revoke(t, store, grant.ID, flowStart.Add(time.Hour), false)
		revoke(t, store, "grt_none", flowStart, false)
		standing, err := store.Standing(t.Context(), grant.ID, nil, flowStart)
		require.NoError(t, err)
		require.Equal(t, flowStart.Add(time.Second), standing.Grant.RevokedAt, "the first word stands")
		require.False(t, standing.Live())
		_, err = store.Standing(t.Context(), "grt_none", nil, flowStart)
		require.ErrorIs(t, err, grants.ErrNotFound)
	})
}

func TestGrantsGoAfterTheirLastToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)

		for i := range 5 {
			redeemed(t, db, strconv.Itoa(i), nil)
		}

		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{time.Hour - time.Microsecond, 0}, {time.Hour, 3}, {time.Hour, 2}, {time.Hour, 0}} {
			n, err := store.DeleteExpired(t.Context(), flowStart.Add(tt.after), 3)
			require.NoError(t, err)
			require.Equal(t, tt.want, n)
		}
	})
}

func TestTokenHearsThatItsCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store := sqlstore.NewForToken(db)
		grant := redeemed(t, db, "a", nil)
		code := issued(t, db, "b", nil)
		redeem := func(ctx context.Context) error {
			return store.Redeem(ctx, code.Hash, grantOf(code), nil, flowStart.Add(time.Hour), flowStart)
		}
		requireCanceled(t, map[string]func(context.Context) error{
			"Redeemable": func(ctx context.Context) error {
				_, err := store.Redeemable(ctx, code.Hash,
					flowStart)
				return err
			},
			"Redeem": redeem,
			"RevokeGrant": func(ctx context.Context) error {
				_, err := store.RevokeGrant(ctx, grant.ID,
					flowStart)
				return err
			},
			"Standing": func(ctx context.Context) error {
				_, err := store.Standing(ctx, grant.ID, nil,
					flowStart)
				return err
			},
			"DeleteExpired": func(ctx context.Context) error {
				_, err := store.DeleteExpired(ctx, flowStart.Add(9*time.Hour), 9)
				return err
			},
		})

		standing, err := store.Standing(t.Context(), grant.ID, nil, flowStart)
		require.NoError(t, err)
		require.True(t, standing.Live(), "as if nothing had happened")
		require.NoError(t, redeem(t.Context()))
	})
}
