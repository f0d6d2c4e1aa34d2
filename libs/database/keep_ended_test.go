package database_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// kept are the tables whose rows stay until they expire once they have ended, each with its
// key, how a row is inserted that expires at $1, and how it ends.
var kept = []struct{ table, key, insert, end string }{
	{"grants", "id", ends[0].insert, `revoked_at = created_at`},
	{"sessions", "id", ends[1].insert, `ended_at = created_at`},
	{"refresh_tokens", "token_hash", ends[3].insert, `rotated_at = created_at`},
	{"authorization_codes", "code_hash", ends[4].insert, `consumed_at = created_at`},
	{"authorization_requests", "id", ends[5].insert, `consumed_at = created_at`},
	{"device_codes", "device_code_hash", ends[6].insert, `decision = 'approved', consumed_at = created_at`},
	{"revoked_tokens", "jti", `INSERT INTO revoked_tokens (jti, expires_at) VALUES ('j', $1)`, ""},
}

// fillKept inserts a row that has ended into each of the tables.
func fillKept(t *testing.T, owner *database.DB, expiresAt time.Time) {
	t.Helper()
	at := database.At(expiresAt)
	must := func(query string, args ...any) {
		_, err := owner.Exec(t.Context(), "test.fill", query, args...)
		require.NoError(t, err, query)
	}

	must(`INSERT INTO users (id, email, created_at, updated_at) VALUES ('u', 'u@d.test', $1, $1)`, at)
	for _, k := range kept {
		must(k.insert, at)
		if k.end != "" {
			must(`UPDATE ` + k.table + ` SET ` + k.end)
		}
	}
}

func rowsOf(t *testing.T, owner *database.DB, table string) (n int) {
	t.Helper()
	require.NoError(t, owner.Get(t.Context(), "test.count", &n, `SELECT count(*) FROM `+table))
	return n
}

// A role that could remove the row, or free its key, could write it again without its end.
func TestNoRoleRemovesWhatHasEndedBeforeItExpires(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	fillKept(t, owner, time.Now().Add(time.Hour))

	for _, role := range database.RoleNames() {
		db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
		for _, k := range kept {
			removed, err := db.Exec(t.Context(), "test.remove", `DELETE FROM `+k.table)
			require.Zero(t, removed, "%s: %s", role, k.table)
			if err != nil {
				require.ErrorContains(t, err, "permission denied", "%s: %s", role, k.table)
			}

			for _, set := range []string{
				`expires_at = expires_at - interval '2 hours'`, k.key + ` = ` + k.key + ` || '2'`,
			} {
				_, err = db.Exec(t.Context(), "test.free", `UPDATE `+k.table+` SET `+set)
				require.Error(t, err, "%s: %s: %s", role, k.table, set)
				require.Regexp(t, `permission denied|keeps its key and expires_at`, err.Error())
			}

			require.Equal(t, 1, rowsOf(t, owner, k.table), "%s: %s", role, k.table)
		}
	}
}

// The other side of the rule: the services remove what has expired.
func TestTheServicesRemoveWhatHasEndedAndExpired(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	fillKept(t, owner, time.Now().Add(-time.Second))

	for table, role := range map[string]string{
		"grants":                 "platform_token",
		"refresh_tokens":         "platform_token",
		"revoked_tokens":         "platform_token",
		"sessions":               "platform_session",
		"authorization_codes":    "platform_authorize",
		"authorization_requests": "platform_authorize",
		"device_codes":           "platform_device",
	} {
		db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
		removed, err := db.Exec(t.Context(), "test.remove", `DELETE FROM `+table)
		require.NoError(t, err, table)
		require.EqualValues(t, 1, removed, table)
	}
}

// A service whose clock is ahead removes the others all the same.
func TestARowThatMustStayKeepsNoOtherFromBeingRemoved(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	now := time.Now()

	for i, expiresAt := range []time.Time{now.Add(-time.Hour), now.Add(time.Hour), now.Add(-time.Minute)} {
		_, err := owner.Exec(t.Context(), "test.insert",
			`INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2)`, fmt.Sprint(i), database.At(expiresAt))
		require.NoError(t, err)
	}

	db := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_token"))
	n, err := db.DeleteDue(t.Context(), "revoked_tokens", "jti", "expires_at <= $1", now.Add(2*time.Hour), 10)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, 1, rowsOf(t, owner, "revoked_tokens"))
}

// An operator who removes a person removes their sessions, ended or not.
func TestAPersonIsRemovedWithTheirEndedSessions(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	fillKept(t, owner, time.Now().Add(time.Hour))

	db := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_operator"))
	_, err := db.Exec(t.Context(), "test.remove", `DELETE FROM users WHERE id = 'u'`)
	require.NoError(t, err)
	require.Zero(t, rowsOf(t, owner, "sessions"))
}

// Not even the owner of the tables moves the end of such a row.
func TestWhatHasEndedKeepsItsKeyAndExpiry(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		fillKept(t, db, start)
		for _, k := range kept {
			for _, set := range []string{`expires_at = $1`, k.key + ` = ` + k.key + ` || '2', expires_at = $1`} {
				_, err := db.Exec(t.Context(), "test.move", `UPDATE `+k.table+` SET `+set,
					database.At(start.Add(-time.Hour)))
				require.ErrorContains(t, err, "keeps its key and expires_at", "%s: %s", k.table, set)
			}
		}
	})
}
