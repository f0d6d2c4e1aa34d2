package sqlstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// obstacles are the facts that the rule of who may go on depends on, as another hand
// at the database writes them.
var obstacles = []struct {
	name, sql string
}{
	{"the person is disabled", `UPDATE users SET disabled_at = updated_at`},
	{"the tenant is disabled", `UPDATE tenants SET disabled_at = updated_at`},
	{"the application is disabled", `UPDATE applications SET disabled_at = updated_at`},
	{"the membership is gone", `DELETE FROM memberships`},
	{"the tenant takes no passwords", `UPDATE tenants SET sso_only = true`},
}

// revived takes back what the obstacles did to the counts, so that each is judged by
// itself and not by the end of access that it came with.
const revived = `DELETE FROM access_ends`

// The rule is written once in Go and once in SQL. The two, and the redemptions that
// ask them, say the same of every combination of facts.
func TestTheRuleInSQLIsTheRuleInGo(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for facts := range 1 << len(obstacles) {
			for _, amr := range [][]string{{oauth.AMRPassword, "otp"}, {"fed"}, {}} {
				for _, ended := range []bool{false, true} {
					if ended && facts != 0 {
						continue
					}

					name := fmt.Sprintf("%05b %v %v", facts, amr, ended)
					empty(t, db)
					change(t, db, `DELETE FROM device_codes`)
					seedPeople(t, db)
					change(t, db, `UPDATE sessions SET amr = $1`, database.JSON[[]string]{V: amr})
					store := sqlstore.NewForToken(db)
					code := issued(t, db, "code", func(c *grants.AuthorizationCode) { c.AMR = amr })
					device := approvedBy(t, db, "device", "BBBB-BBBB", amr)
					first := refreshed(t, db, func(c *grants.AuthorizationCode) { c.AMR = amr })
					change(t, db, `UPDATE grants SET amr = $1`, database.JSON[[]string]{V: amr})

					for i, o := range obstacles {
						if facts&(1<<i) != 0 {
							change(t, db, o.sql)
						}
					}

					change(t, db, revived)

					if ended {
						change(t, db,
							`INSERT INTO access_ends (user_id, tenant_id, client_id, ends) VALUES ('usr_ada', '', '', 1)`)
					}

					has := func(i int) bool { return facts&(1<<i) != 0 }
					want := !ended && directory.Entry{
						User:        &directory.User{Active: !has(0)},
						Tenant:      &directory.Tenant{Active: !has(1), SSOOnly: has(4)},
						Application: &directory.Application{Active: !has(2)},
						Member:      !has(3),
						AMR:         amr,
					}.Stands()

					at := flowStart
					r, err := store.Redeemable(t.Context(), code.Hash, at)
					require.NoError(t, err)
					require.Equal(t, want, r.Live(), "code, read: %s", name)
					poll, err := store.PollDevice(t.Context(), device.Hash, device.ClientID, at)
					require.NoError(t, err)
					require.Equal(t, want, poll.Live(), "device, read: %s", name)
					found, err := store.Refreshable(t.Context(), first.Hash, at)
					require.NoError(t, err)
					require.Equal(t, want, found.Live(), "refresh token, read: %s", name)

					require.Equal(t, want,
						store.Redeem(t.Context(), code.Hash, grantOf(code), nil, at.Add(time.Hour), at) == nil,
						"code: %s", name)
					require.Equal(t, want,
						store.RedeemDevice(t.Context(), device.Hash, deviceGrant(device), nil, at.Add(time.Hour),
							at) == nil, "device: %s", name)
					err = store.Rotate(t.Context(), &grants.Rotation{
						OldHash:        first.Hash,
						NewHash:        oauth.HashSecret("next"),
						GrantID:        first.GrantID,
						ClientID:       first.ClientID,
						ExpiresAt:      at.Add(time.Hour),
						GrantExpiresAt: at.Add(time.Hour),
					}, at)

					require.True(t, err == nil || errors.Is(err, grants.ErrRevoked), err)
					require.Equal(t, want, err == nil, "refresh token: %s", name)
				}
			}
		}
	})
}

// refreshed is the first refresh token of a redeemed code.
func refreshed(t *testing.T, db *database.DB, alter func(*grants.AuthorizationCode)) *grants.RefreshToken {
	t.Helper()
	code := issued(t, db, "refreshed", alter)
	token := &grants.RefreshToken{
		Hash:              oauth.HashSecret("refresh"),
		GrantID:           code.GrantID,
		ClientID:          code.ClientID,
		Scope:             code.Scope,
		CreatedAt:         flowStart,
		ExpiresAt:         flowStart.Add(time.Hour),
		AbsoluteExpiresAt: flowStart.Add(time.Hour),
	}

	require.NoError(t,
		sqlstore.NewForToken(db).Redeem(t.Context(), code.Hash, grantOf(code), token,
			flowStart.Add(time.Hour), flowStart))

	return token
}
