package ending_test

import (
	"fmt"
	"testing"
	"time"

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
			require.NoError(t, w.SaveUser(ctx, directory.User{ID: id, Email: id + "@acme.test"}, []string{"acme", "bolt"}, start))
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
		require.Equal(t, ending.Ended{Sessions: 2, Grants: 4, Notices: 4}, ended, "the online grants end with their sessions")
		require.Equal(t, []string{"ada.acme", "ada.bolt"}, ids(t, db, deadSessions))
		require.Len(t, ids(t, db, deadGrants), 8)
		require.Equal(t, []string{"ada.acme.cli.code", "ada.acme.web.code", "ada.bolt.cli.code", "ada.bolt.web.code"}, ids(t, db, deadCodes))
		require.Equal(t, []string{"ada.acme:cli", "ada.acme:web", "ada.bolt:cli", "ada.bolt:web"}, ids(t, db, notices))

		ended, err = ending.Finish(t.Context(), db, start)
		require.NoError(t, err)
		require.Zero(t, ended, "nothing is left to do")
	})
}
