package database_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestRightsAreReadFromRolesSQL(t *testing.T) {
	rights := database.Rights()
	require.Contains(t, rights, database.Right{
		Role:    "platform_keys",
		Table:   "signing_keys",
		Verb:    "UPDATE",
		Columns: []string{"active_from", "retire_at", "revoked_at"},
	})

	require.Contains(t, rights, database.Right{Role: "platform_token", Table: "refresh_tokens", Verb: "DELETE"})
	require.Equal(t,
		[]string{
			"platform_authorize", "platform_device", "platform_keys", "platform_operator",
			"platform_session", "platform_token",
		}, database.RoleNames())
}

func TestAMigratedDatabaseHasExactlyTheRights(t *testing.T) {
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	for _, dsn := range []string{owner, server.LoginURL(t, owner, "platform_device")} {
		diff, err := database.CompareRights(t.Context(), testkit.OpenPostgres(t, dsn))
		require.NoError(t, err)
		require.Equal(t, database.RightsDiff{Missing: []database.Right{}, Excess: []database.Right{}}, diff)
	}
}

func TestRightsThatDifferAreNamed(t *testing.T) {
	db := testkit.Postgres(t)
	exec := func(statement string) {
		t.Helper()
		_, err := db.Exec(t.Context(), "test.grant", statement)
		require.NoError(t, err)
	}

	exec(`REVOKE DELETE ON refresh_tokens FROM platform_token`)
	exec(`REVOKE UPDATE (revoked_at) ON signing_keys FROM platform_keys`)
	exec(`GRANT SELECT (token_hash) ON refresh_tokens TO platform_device`)
	exec(`GRANT TRUNCATE ON audit_events TO PUBLIC`)
	diff, err := database.CompareRights(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, diff.Absent)
	require.Equal(t, []database.Right{
		{Role: "platform_keys", Table: "signing_keys", Verb: "UPDATE", Columns: []string{"revoked_at"}},
		{Role: "platform_token", Table: "refresh_tokens", Verb: "DELETE"},
	}, diff.Missing)
	require.Len(t, diff.Excess, 7, "what PUBLIC may, each role may")
	require.Contains(t, diff.Excess, database.Right{
		Role:    "platform_device",
		Table:   "refresh_tokens",
		Verb:    "SELECT",
		Columns: []string{"token_hash"},
	})

	require.Equal(t, "platform_device: SELECT (token_hash) on refresh_tokens", diff.Excess[2].String())
	require.NoError(t, database.ApplyRoles(t.Context(), db))
	diff, err = database.CompareRights(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, append(diff.Missing, diff.Excess...))
}

func TestSQLiteHasNoRightsToCompare(t *testing.T) {
	_, err := database.CompareRights(t.Context(), testkit.SQLite(t))
	require.ErrorContains(t, err, "has no roles")
}
