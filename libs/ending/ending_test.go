package ending_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// seed makes two tenants and two applications; ada and bob are members of both
// tenants.
func seed(t *testing.T, db *database.DB) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, directorystore.NewOperator(db).Tx(ctx, func(w *directorystore.Writer) error {
		for _, id := range []string{"acme", "bolt"} {
			require.NoError(t, w.SaveTenant(ctx, directory.Tenant{ID: id, Slug: id, Name: id}, nil, start))
		}

		for _, id := range []string{"ada", "bob"} {
			require.NoError(t,
				w.SaveUser(ctx, directory.User{ID: id, Email: id + "@acme.test"}, []string{"acme", "bolt"}, start))
		}

		for _, id := range []string{"web", "cli"} {
			require.NoError(t, w.SaveApplication(ctx, &directory.Application{
				ClientID:             id,
				Type:                 directory.Web,
				ScopeLevel:           directory.Global,
				BackchannelLogoutURI: "https://" + id + ".test/out",
			}, start))
		}

		return nil
	}))
}

func change(t *testing.T, db *database.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), "test.change", statement, args...)
	require.NoError(t, err)
}

// session inserts a session as the session service does.
func session(t *testing.T, db *database.DB, id, user, tenant string) {
	t.Helper()
	change(t, db, `
INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, person_ends)
VALUES ($1, $2, $3, $4, $5, '1', '["pwd"]', $5, $5, $6, COALESCE((SELECT ends FROM access_ends WHERE user_id = $3 AND tenant_id = '' AND client_id = ''), 0))`,
		id, []byte(id), user, tenant, database.At(start), database.At(start.Add(24*time.Hour)))
}

// code issues a code of a session; its hash and its grant's id are the name.
func code(t *testing.T, db *database.DB, name, client, sessionID, user, tenant string, offline bool) {
	t.Helper()
	require.NoError(t, grantstore.NewForAuthorize(db).Issue(t.Context(), &grants.AuthorizationCode{
		Hash:      []byte(name),
		ClientID:  client,
		GrantID:   name,
		Offline:   offline,
		UserID:    user,
		TenantID:  tenant,
		SessionID: sessionID,
		AuthTime:  start,
		ACR:       "1",
		AMR:       []string{"pwd"},
		CreatedAt: start,
		ExpiresAt: start.Add(time.Minute),
	}))
}

func redeem(t *testing.T, db *database.DB, name, client, sessionID, user, tenant string, offline bool) error {
	t.Helper()
	return grantstore.NewForToken(db).Redeem(t.Context(), []byte(name), grants.Grant{
		ID:        name,
		ClientID:  client,
		UserID:    user,
		TenantID:  tenant,
		SessionID: sessionID,
		Offline:   offline,
		AuthTime:  start,
		ACR:       "1",
		AMR:       []string{"pwd"},
		CreatedAt: start,
	}, nil, start.Add(time.Hour), start)
}

// populate gives each person a session in each tenant, and each session an online and
// an offline grant and a code of each application. Ids read ada.acme.web.offline.
func populate(t *testing.T, db *database.DB) {
	t.Helper()
	seed(t, db)

	for _, user := range []string{"ada", "bob"} {
		for _, tenant := range []string{"acme", "bolt"} {
			id := user + "." + tenant
			session(t, db, id, user, tenant)

			for _, client := range []string{"web", "cli"} {
				for _, offline := range []bool{false, true} {
					name := fmt.Sprintf("%s.%s.%v", id, client, offline)
					code(t, db, name, client, id, user, tenant, offline)
					require.NoError(t, redeem(t, db, name, client, id, user, tenant, offline))
				}
				code(t, db, id+"."+client+".code", client, id, user, tenant, true)
			}
		}
	}
}

func ids(t *testing.T, db *database.DB, query string) (found []string) {
	t.Helper()
	require.NoError(t, db.Select(t.Context(), "test.ids", &found, query))
	return found
}

const (
	deadSessions = `SELECT id FROM sessions WHERE ended_at IS NOT NULL ORDER BY id`
	deadGrants   = `SELECT id FROM grants WHERE revoked_at IS NOT NULL ORDER BY id`
	notices      = `SELECT id FROM logout_outbox ORDER BY id`
	deadCodes    = `SELECT grant_id FROM authorization_codes WHERE consumed_at IS NULL AND expires_at = created_at ORDER BY grant_id`
)

func TestAllAccessOfAPersonEndsAtOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		populate(t, db)

		ended, err := ending.End(t.Context(), db, ending.Access{UserID: "ada"}, start)
		require.NoError(t, err)
		require.Equal(t, ending.Ended{Sessions: 2, Grants: 4, Pending: 0, Notices: 4}, ended,
			"the online grants end with their sessions")
		require.Equal(t, []string{"ada.acme", "ada.bolt"}, ids(t, db, deadSessions))
		require.Len(t, ids(t, db, deadGrants), 8)
		require.Equal(t,
			[]string{"ada.acme.cli.code", "ada.acme.web.code", "ada.bolt.cli.code", "ada.bolt.web.code"},
			ids(t, db, deadCodes))
		require.Equal(t, []string{"ada.acme:cli", "ada.acme:web", "ada.bolt:cli", "ada.bolt:web"}, ids(t, db, notices))

		ended, err = ending.Finish(t.Context(), db, start)
		require.NoError(t, err)
		require.Zero(t, ended, "nothing is left to do")
	})
}

func TestAScopeEndsAndNothingElse(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range map[string]struct {
			access   ending.Access
			sessions []string
			grants   int
			notices  []string
		}{
			"a person in a tenant": {
				access:   ending.Access{UserID: "ada", TenantID: "acme"},
				sessions: []string{"ada.acme"},
				grants:   4,
				notices:  []string{"ada.acme:cli", "ada.acme:web"},
			},
			"a tenant": {
				access:   ending.Access{TenantID: "bolt"},
				sessions: []string{"ada.bolt", "bob.bolt"},
				grants:   8,
				notices:  []string{"ada.bolt:cli", "ada.bolt:web", "bob.bolt:cli", "bob.bolt:web"},
			},
			"an application": {
				access:  ending.Access{ClientID: "cli"},
				grants:  8,
				notices: []string{"ada.acme:cli", "ada.bolt:cli", "bob.acme:cli", "bob.bolt:cli"},
			},
			"a person but one session": {
				access:   ending.Access{UserID: "ada", ExceptSession: "ada.acme"},
				sessions: []string{"ada.bolt"},
				grants:   6,
				notices:  []string{"ada.acme:cli", "ada.acme:web", "ada.bolt:cli", "ada.bolt:web"},
			},
		} {
			t.Run(name, func(t *testing.T) {
				emptied(t, db)
				populate(t, db)
				_, err := ending.End(t.Context(), db, tt.access, start)
				require.NoError(t, err)
				require.Equal(t, tt.sessions, ids(t, db, deadSessions))
				require.Len(t, ids(t, db, deadGrants), tt.grants)
				require.Equal(t, tt.notices, ids(t, db, notices))
			})
		}
	})
}

func emptied(t *testing.T, db *database.DB) {
	t.Helper()
	for _, table := range []string{
		"logout_outbox", "grants", "authorization_codes", "device_codes", "sessions", "memberships", "users",
		"tenants", "applications",
		"access_ends",
	} {
		change(t, db, `DELETE FROM `+table)
	}
}

func TestAnAccessIsOneOfFour(t *testing.T) {
	db := testkit.SQLite(t)
	for _, a := range []ending.Access{
		{},
		{ClientID: "web", UserID: "ada"},
		{ClientID: "web", TenantID: "acme"},
		{TenantID: "acme", ExceptSession: "ses"},
	} {
		_, err := ending.End(t.Context(), db, a, start)
		require.Error(t, err, a)
	}
}

// switches are what a hand at the database does, and undoes.
var switches = map[string][2]string{
	"a person": {
		`UPDATE users SET disabled_at = updated_at WHERE id = 'ada'`,
		`UPDATE users SET disabled_at = NULL WHERE id = 'ada'`,
	},
	"a tenant": {
		`UPDATE tenants SET disabled_at = updated_at WHERE id = 'acme'`,
		`UPDATE tenants SET disabled_at = NULL WHERE id = 'acme'`,
	},
	"an application": {
		`UPDATE applications SET disabled_at = updated_at WHERE client_id = 'web'`,
		`UPDATE applications SET disabled_at = NULL WHERE client_id = 'web'`,
	},
	"a membership": {
		`DELETE FROM memberships WHERE user_id = 'ada' AND tenant_id = 'acme'`,
		`INSERT INTO memberships (user_id, tenant_id, created_at) SELECT 'ada', 'acme', created_at FROM users WHERE id = 'ada'`,
	},
}

// What was disabled by hand and is enabled at once revives nothing, without a command
// or a service in between; the rows are marked whenever somebody gets to it.
func TestDisabledAndEnabledRevivesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, statements := range switches {
			t.Run(name, func(t *testing.T) {
				emptied(t, db)
				populate(t, db)
				token := grantstore.NewForToken(db)
				change(t, db, statements[0])
				change(t, db, statements[1])

				for _, grant := range []string{"ada.acme.web.false", "ada.acme.web.true"} {
					standing, err := token.Standing(t.Context(), grant, nil, start)
					require.NoError(t, err)
					require.False(t, standing.Live(), grant)
				}

				require.ErrorIs(t,
					redeem(t, db, "ada.acme.web.code", "web", "ada.acme", "ada", "acme", true), grants.ErrRevoked)
				bobs, err := token.Standing(t.Context(), "bob.bolt.cli.true", nil, start)
				require.NoError(t, err)
				require.True(t, bobs.Live(), "another's stands")

				n, err := ending.FinishSome(t.Context(), db, start, 100)
				require.NoError(t, err)
				require.Positive(t, n)
				require.NotEmpty(t, ids(t, db, notices))
			})
		}
	})
}

// However a redemption and an end fall together, no grant stands afterwards: not one
// whose redemption began before, nor one of a code that was issued meanwhile.
func TestARedemptionUnderWayDoesNotOutliveTheEnd(t *testing.T) {
	const racers = 24
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, statements := range switches {
			t.Run(name, func(t *testing.T) {
				emptied(t, db)
				seed(t, db)
				session(t, db, "ses", "ada", "acme")

				for i := range racers {
					code(t, db, fmt.Sprint("code", i), "web", "ses", "ada", "acme", true)
				}

				begin := make(chan struct{})
				var racing sync.WaitGroup
				for i := range racers {
					racing.Go(func() {
						<-begin
						name := fmt.Sprint("code", i)
						// It may succeed or fail; it must not stand.
						_ = grantstore.NewForToken(db).Redeem(t.Context(), []byte(name), grants.Grant{
							ID:        name,
							ClientID:  "web",
							UserID:    "ada",
							TenantID:  "acme",
							SessionID: "ses",
							Offline:   true,
							AuthTime:  start,
							CreatedAt: start.Add(time.Hour), // whatever its clock says
						}, nil, start.Add(2*time.Hour), start)
					})
				}

				racing.Go(func() {
					<-begin
					_, err := db.Exec(t.Context(), "test.disable", statements[0])
					assert.NoError(t, err)
					_, err = db.Exec(t.Context(), "test.enable", statements[1])
					assert.NoError(t, err)
				})

				close(begin)
				racing.Wait()

				for _, id := range ids(t, db, `SELECT id FROM grants`) {
					standing, err := grantstore.NewForToken(db).Standing(t.Context(), id, nil, start)
					require.NoError(t, err)
					require.False(t, standing.Live(), id)
				}
			})
		}
	})
}

// A process that was killed between the end and its rows leaves work, not access.
func TestWhatIsMarkedLateEndsNothingNewer(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		populate(t, db)
		require.NoError(t, db.Tx(t.Context(), "test.mark", func(tx *database.Tx) error {
			return ending.Mark(t.Context(), tx, ending.Access{UserID: "ada"})
		}))
		session(t, db, "new", "ada", "acme")
		code(t, db, "new", "web", "new", "ada", "acme", true)
		require.NoError(t, redeem(t, db, "new", "web", "new", "ada", "acme", true), "she signed in again")

		_, err := ending.Finish(t.Context(), db, start)
		require.NoError(t, err)
		require.Equal(t, []string{"ada.acme", "ada.bolt"}, ids(t, db, deadSessions))
		require.NotContains(t, ids(t, db, deadGrants), "new")
	})
}

// The rights in roles.sql and the statements here must agree.
func TestTheRolesThatEndAccessMay(t *testing.T) {
	server := testkit.PostgresServer(t)
	for _, role := range []string{"platform_session", "platform_operator"} {
		url := server.NewDatabase(t)
		owner := testkit.OpenPostgres(t, url)
		populate(t, owner)
		db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
		for _, a := range []ending.Access{
			{UserID: "ada", TenantID: "acme"}, {ClientID: "web"}, {TenantID: "bolt"}, {UserID: "bob"},
		} {
			_, err := ending.End(t.Context(), db, a, start)
			require.NoError(t, err, "%s %v", role, a)
		}

		if role == "platform_session" {
			_, err := ending.End(t.Context(), db, ending.Access{UserID: "bob", ExceptSession: "bob.acme"}, start)
			require.NoError(t, err)
		}

		require.Len(t, ids(t, owner, deadSessions), 4)
	}
}
