package database_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// ends are the columns that are set once, each with a row that has it NULL.
var ends = []struct{ table, column, insert string }{
	{
		"grants", "revoked_at",
		`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
		VALUES ('g', 'c', 'u', 't', 's', 'openid', false, $1, $1)`,
	},
	{
		"sessions", "ended_at",
		`INSERT INTO sessions (id, cookie_hash, user_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
		VALUES ('s', '\x00', 'u', $1, '1', '[]', $1, $1, $1)`,
	},
	{
		"signing_keys", "revoked_at",
		`INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from)
		VALUES ('k', 'ES256', 1, 'r', '{}', $1, $1)`,
	},
	{
		"refresh_tokens", "rotated_at",
		`INSERT INTO refresh_tokens (token_hash, grant_id, client_id, scope, created_at, expires_at, absolute_expires_at)
		VALUES ('\x00', 'g', 'c', 'openid', $1, $1, $1)`,
	},
	{
		"authorization_codes", "consumed_at",
		`INSERT INTO authorization_codes (code_hash, client_id, redirect_uri, scope, grant_id, offline, user_id,
		tenant_id, session_id, auth_time, acr, amr, created_at, expires_at)
		VALUES ('\x00', 'c', 'https://a.test', 'openid', 'g', false, 'u', 't', 's', $1, '1', '[]', $1, $1)`,
	},
	{
		"authorization_requests", "consumed_at",
		`INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode,
		scope, created_at, expires_at) VALUES ('r', 'authorize', '\x00', 'c', 'https://a.test', 'query', 'openid', $1, $1)`,
	},
	{
		"device_codes", "consumed_at",
		`INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, interval_seconds, created_at, expires_at)
		VALUES ('\x00', 'AAAA', 'c', 'openid', 5, $1, $1)`,
	},
}

// What has ended is neither revived nor moved, not even by the owner of the tables.
func TestWhatHasEndedStaysEnded(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		exec := func(query string, args ...any) error {
			_, err := db.Exec(t.Context(), "test.exec", query, args...)
			return err
		}
		now, later := database.At(start), database.At(start.Add(time.Second))
		require.NoError(t,
			exec(`INSERT INTO users (id, email, created_at, updated_at) VALUES ('u', 'u@d.test', $1, $1)`, now))

		for _, end := range ends {
			require.NoError(t, exec(end.insert, now), end.table)
			set := fmt.Sprintf(`UPDATE %s SET %s = $1`, end.table, end.column)
			require.NoError(t, exec(set, now), end.table)
			require.NoError(t, exec(set, now), "%s: the same again moves nothing", end.table)
			for _, to := range []database.Time{later, database.At(start.Add(-time.Second)), {}} {
				require.ErrorContains(t, exec(set, to), "set once and never changes", "%s to %s", end.table, to.Time)
			}
		}
	})
}

// A decision about a device is the first one, and of the session that it names.
func TestADecidedDeviceStaysDecided(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		exec := func(query string, args ...any) error {
			_, err := db.Exec(t.Context(), "test.exec", query, args...)
			return err
		}
		require.NoError(t, exec(ends[6].insert, database.At(start)))
		require.NoError(t,
			exec(`UPDATE device_codes SET decision = 'approved', user_id = 'ada', session_id = 's', grant_id = 'g'`))

		for _, set := range []string{
			`decision = ''`, `decision = 'denied'`, `user_id = 'eve'`, `tenant_id = 'x'`, `session_id = 'x'`,
			`grant_id = 'x'`, `acr = '2'`, `amr = '["hwk"]'`,
		} {
			require.ErrorContains(t, exec(`UPDATE device_codes SET `+set), "set once and never changes", set)
		}

		require.NoError(t, exec(`UPDATE device_codes SET interval_seconds = 10, expires_at = $1`, database.At(start)))
	})
}

// The roles that may set such a column may not take it back.
func TestNoRoleRevivesWhatHasEnded(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	_, err := owner.Exec(t.Context(), "test.user",
		`INSERT INTO users (id, email, created_at, updated_at) VALUES ('u', 'u@d.test', now(), now())`)
	require.NoError(t, err)

	for _, end := range ends {
		_, err := owner.Exec(t.Context(), "test.insert", end.insert, database.At(start))
		require.NoError(t, err)
		_, err = owner.Exec(t.Context(), "test.end", fmt.Sprintf(`UPDATE %s SET %s = now()`, end.table, end.column))
		require.NoError(t, err)
	}

	for _, role := range database.RoleNames() {
		db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
		for _, end := range ends {
			_, err := db.Exec(t.Context(), "test.revive", fmt.Sprintf(`UPDATE %s SET %s = NULL`, end.table, end.column))
			require.Error(t, err, "%s: %s", role, end.table)
			require.Regexp(t, `permission denied|set once and never changes`, err.Error())
		}
	}
}
