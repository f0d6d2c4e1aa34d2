package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// claim is what a code's row says of a person's sign-in.
type claim struct {
	user, tenant, session string
	authTime              time.Time
	acr                   string
	amr                   []string
}

// seedSessions adds to session ses_1 of seedPeople, which is Ada's in Acme, one of
// hers that has ended, one of hers in another tenant, and nothing of Bob's.
func seedSessions(t *testing.T, db *database.DB) {
	t.Helper()
	seedPeople(t, db)
	now := database.At(flowStart)
	for _, statement := range []string{
		`INSERT INTO users (id, email, created_at, updated_at) VALUES ('usr_bob', 'bob@acme.test', $1, $1)`,
		`INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ('usr_bob', 'tnt_acme', $1)`,
		`INSERT INTO tenants (id, slug, name, created_at, updated_at) VALUES ('tnt_other', 'other', 'Other', $1, $1)`,
		`INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ('usr_ada', 'tnt_other', $1)`,
	} {
		change(t, db, statement, now)
	}

	const insert = `
INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, ended_at)
VALUES ($1, $2, 'usr_ada', $3, $4, '1', '["pwd"]', $4, $4, $5, $6)`
	end := database.At(flowStart.Add(time.Hour))
	change(t, db, insert, "ses_ended", []byte("ended"), "tnt_acme", now, end, now)
	change(t, db, insert, "ses_past", []byte("past"), "tnt_acme", now, now, nil)
	change(t, db, insert, "ses_other", []byte("other"), "tnt_other", now, end, nil)
}

// claims are what the rows of a service that was broken into may say, and whether
// the sessions bear it out.
var claims = map[string]struct {
	claim
	true bool
}{
	"what the session says": {
		claim{"usr_ada", "tnt_acme", "ses_1", flowStart, "1", []string{"pwd"}}, true,
	},
	"an earlier sign-in of the session": {
		claim{"usr_ada", "tnt_acme", "ses_1", flowStart.Add(-time.Hour), "1", []string{"pwd", "otp"}}, true,
	},
	"no session": {claim{"usr_bob", "tnt_acme", "", flowStart, "1", []string{"pwd"}}, false},
	"a session that never was": {
		claim{"usr_bob", "tnt_acme", "ses_bob", flowStart, "1", []string{"pwd"}}, false,
	},
	"the session of another person": {
		claim{"usr_bob", "tnt_acme", "ses_1", flowStart, "1", []string{"pwd"}}, false,
	},
	"the session of another tenant": {
		claim{"usr_ada", "tnt_acme", "ses_other", flowStart, "1", []string{"pwd"}}, false,
	},
	"a tenant that was not chosen": {
		claim{"usr_ada", "tnt_other", "ses_1", flowStart, "1", []string{"pwd"}}, false,
	},
	"a session that has ended": {
		claim{"usr_ada", "tnt_acme", "ses_ended", flowStart, "1", []string{"pwd"}}, false,
	},
	"a session past its absolute end": {
		claim{"usr_ada", "tnt_acme", "ses_past", flowStart, "1", []string{"pwd"}}, false,
	},
	"a later sign-in than the session's": {
		claim{"usr_ada", "tnt_acme", "ses_1", flowStart.Add(time.Second), "1", []string{"pwd"}}, false,
	},
	"a better sign-in than the session's": {
		claim{"usr_ada", "tnt_acme", "ses_1", flowStart, "2", []string{"pwd"}}, false,
	},
	"one that was better once": {
		claim{"usr_ada", "tnt_acme", "ses_1", flowStart.Add(-time.Hour), "2", []string{"pwd"}}, false,
	},
	"another way to sign in": {
		claim{"usr_ada", "tnt_acme", "ses_1", flowStart, "1", []string{"hwk"}}, false,
	},
}

// forge writes the claim into a code and an approved device code, each as the
// service that owns the table does, with the hash of a cookie or without one.
func (c claim) forge(
	t *testing.T, authorize, device *database.DB, proof []byte,
) (code *grants.AuthorizationCode, d *grants.DeviceCode, issued, approved error) {
	t.Helper()
	code = newCode("forged", "")
	code.UserID, code.TenantID, code.SessionID, code.SessionProof = c.user, c.tenant, c.session, proof
	code.AuthTime, code.ACR, code.AMR = c.authTime, c.acr, c.amr
	issued = sqlstore.NewForAuthorize(authorize).Issue(t.Context(), code)

	d = deviceCode("forged", "BBBB-BBBB")
	d.CreatedAt, d.ExpiresAt = flowStart, flowStart.Add(10*time.Minute)
	inserted, err := sqlstore.NewForDevice(device).InsertDeviceCode(t.Context(), d)
	require.NoError(t, err)
	require.True(t, inserted)
	d.Decision, d.DecidedAt, d.GrantID = grants.DeviceApproved, flowStart, "grt_device"
	d.UserID, d.TenantID, d.SessionID, d.SessionProof = c.user, c.tenant, c.session, proof
	d.AuthTime, d.ACR, d.AMR = c.authTime, c.acr, c.amr
	approved = sqlstore.NewForDevice(device).Decide(t.Context(), d, flowStart)

	return code, d, issued, approved
}

// requireRedeemed has the token service redeem both, which succeeds if want.
func requireRedeemed(
	t *testing.T, token *database.DB, code *grants.AuthorizationCode, d *grants.DeviceCode, want bool,
) {
	t.Helper()
	store := sqlstore.NewForToken(token)
	r, err := store.Redeemable(t.Context(), code.Hash, flowStart)
	require.NoError(t, err)
	require.Equal(t, want, r.SessionLive)
	poll, err := store.PollDevice(t.Context(), d.Hash, d.ClientID, flowStart)
	require.NoError(t, err)
	require.Equal(t, want, poll.SessionLive)

	end := flowStart.Add(time.Hour)
	ofCode := store.Redeem(t.Context(), code.Hash, grantOf(code), nil, end, flowStart)
	ofDevice := store.RedeemDevice(t.Context(), d.Hash, deviceGrant(d), nil, end, flowStart)
	if !want {
		require.ErrorIs(t, ofCode, grants.ErrRevoked)
		require.ErrorIs(t, ofDevice, grants.ErrRevoked)
		return
	}

	require.NoError(t, ofCode)
	require.NoError(t, ofDevice)
}

// What a code says of a person counts as far as their session bears it out.
func TestARowAloneIsNotBelieved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range claims {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				change(t, db, `DELETE FROM device_codes`)
				seedSessions(t, db)
				code, d, issued, approved := tt.forge(t, db, db, nil)
				require.NoError(t, issued)
				require.NoError(t, approved)
				requireRedeemed(t, db, code, d, tt.true)
				require.Equal(t, map[bool]int{true: 2, false: 0}[tt.true], count(t, db, "grants"))
			})
		}
	})
}

// A session that is authenticated anew keeps its id; a code from before it goes on.
func TestACodeOutlivesAReauthentication(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedSessions(t, db)
		code, d, issued, approved := claims["what the session says"].forge(t, db, db, cookieHash)
		require.NoError(t, issued)
		require.NoError(t, approved)
		change(t, db, `UPDATE sessions SET auth_time = $1, acr = '2', amr = '["pwd","otp"]' WHERE id = 'ses_1'`,
			database.At(flowStart.Add(time.Second)))
		requireRedeemed(t, db, code, d, true)
	})
}

// Every service's role tries, with a connection of its own and the cookie of one of
// Ada's sessions, to have tokens issued for anything but that session. Only the session
// service may write sessions. The test beside the rights tries without a cookie.
func TestNoRoleMintsTokensOfAPersonWhoIsNotSignedIn(t *testing.T) {
	server := testkit.PostgresServer(t)
	for _, role := range []string{
		"platform_authorize", "platform_device", "platform_token", "platform_keys", "platform_operator",
	} {
		t.Run(role, func(t *testing.T) {
			url := server.NewDatabase(t)
			owner := testkit.OpenPostgres(t, url)
			seedSessions(t, owner)
			broken := testkit.OpenPostgres(t, server.LoginURL(t, url, role))

			for _, statement := range []string{
				`INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
					VALUES ('ses_bob', 'x', 'usr_bob', 'tnt_acme', now(), '1', '["pwd"]', now(), now(), now() + interval '1 hour')`,
				`UPDATE sessions SET user_id = 'usr_bob' WHERE id = 'ses_1'`,
				`UPDATE sessions SET acr = '2', auth_time = now() WHERE id = 'ses_1'`,
				`UPDATE sessions SET expires_at = now() + interval '1 hour' WHERE id = 'ses_past'`,
			} {
				_, err := broken.Exec(t.Context(), "test.session", statement)
				require.ErrorContains(t, err, "permission denied", statement)
			}

			_, err := broken.Exec(t.Context(), "test.session",
				`UPDATE sessions SET ended_at = NULL WHERE id = 'ses_ended'`)
			require.Error(t, err)

			authorize, device := owner, owner
			switch role {
			case "platform_authorize":
				authorize = broken
			case "platform_device":
				device = broken
			default: // writes no codes at all
				require.Error(t, sqlstore.NewForAuthorize(broken).Issue(t.Context(), newCode("mine", "")))
				require.Error(t,
					sqlstore.NewForDevice(broken).Decide(t.Context(), deviceCode("mine", "CCCC-CCCC"), flowStart))
				return
			}

			for name, tt := range claims {
				if tt.true {
					continue
				}

				t.Run(name, func(t *testing.T) {
					change(t, owner, `DELETE FROM authorization_codes`)
					change(t, owner, `DELETE FROM device_codes`)
					code, d, issued, approved := tt.forge(t, authorize, device, cookieHash)
					if tt.session != "ses_1" {
						require.ErrorIs(t, issued, grants.ErrUnproven)
						require.ErrorIs(t, approved, grants.ErrUnproven)
						return
					}

					require.NoError(t, issued)
					require.NoError(t, approved)
					requireRedeemed(t,
						testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_token")), code, d, false)
				})
			}

			require.Zero(t, count(t, owner, "grants"))
		})
	}
}
