package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// holding is a session of which one application has an online grant and another
// an offline one; both want to hear of logouts, and so does a third.
func holding(t *testing.T, db *database.DB) {
	t.Helper()
	seed(t, db, "ses_1")
	ctx := t.Context()
	require.NoError(t, directorystore.NewOperator(db).Tx(ctx, func(w *directorystore.Writer) error {
		for _, id := range []string{"online", "offline", "stranger"} {
			require.NoError(t, w.SaveApplication(ctx, &directory.Application{
				ClientID:             id,
				Type:                 directory.Web,
				ScopeLevel:           directory.Global,
				BackchannelLogoutURI: "https://" + id + ".test/out",
				Active:               true,
			}, start))
		}

		return nil
	}))

	for id, offline := range map[string]bool{"online": false, "offline": true} {
		change(t, db,
			`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
			VALUES ($1, $1, $2, $3, 'ses_1', 'openid', $4, $5, $5)`, id, allowed.UserID, allowed.TenantID,
			offline, database.At(start))
	}

	for hash, session := range map[string]string{"own": "ses_1", "another's": "ses_2"} {
		require.NoError(t, grantstore.NewForAuthorize(db).Issue(ctx, &grants.AuthorizationCode{
			Hash:      []byte(hash),
			ClientID:  "online",
			GrantID:   hash,
			SessionID: session,
			AuthTime:  start,
			CreatedAt: start,
			ExpiresAt: start.Add(time.Hour),
		}))
	}
}

func end(t *testing.T, db *database.DB, id string) (ended bool) {
	t.Helper()
	require.NoError(t, db.Tx(t.Context(), "test", func(tx *database.Tx) (err error) {
		ended, err = sqlstore.End(t.Context(), tx, id, start.Add(time.Minute))
		return err
	}))
	return ended
}

func TestTheEndOfASessionIsEverythingThatBelongsToIt(t *testing.T) {
	check := func(t *testing.T, owner, caller *database.DB) {
		holding(t, owner)
		require.False(t, end(t, caller, "ses_none"))
		require.True(t, end(t, caller, "ses_1"))
		require.False(t, end(t, caller, "ses_1"))
		var revoked, queued []string
		require.NoError(t,
			owner.Select(t.Context(), "test", &revoked, `SELECT id FROM grants WHERE revoked_at IS NOT NULL`))
		require.Equal(t, []string{"online"}, revoked)
		require.NoError(t,
			owner.Select(t.Context(), "test", &queued, `SELECT client_id FROM logout_outbox ORDER BY client_id`))
		require.Equal(t, []string{"offline", "online"}, queued)
		var waiting []string
		require.NoError(t,
			owner.Select(t.Context(), "test", &waiting,
				`SELECT grant_id FROM authorization_codes WHERE expires_at > created_at`))
		require.Equal(t, []string{"another's"}, waiting, "what the session has not given yet it never gives")
	}

	t.Run("sqlite", func(t *testing.T) {
		db := testkit.SQLite(t)
		check(t, db, db)
	})

	for _, role := range []string{"platform_session", "platform_operator"} {
		t.Run("postgres as "+role, func(t *testing.T) {
			server := testkit.PostgresServer(t)
			url := server.NewDatabase(t)
			check(t, testkit.OpenPostgres(t, url), testkit.OpenPostgres(t, server.LoginURL(t, url, role)))
		})
	}
}
