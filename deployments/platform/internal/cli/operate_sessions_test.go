package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// signIn creates a session with two grants, of which one depends on it.
func (o office) signIn(id, userID, tenantID string) {
	o.t.Helper()
	now := database.At(time.Now())
	later := database.At(time.Now().Add(time.Hour))
	o.exec(`
INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, address, user_agent)
VALUES ($1, $2, $3, $4, $5, '1', '["pwd"]', $5, $5, $6, '192.0.2.7', $7)`, id, []byte(id), userID, tenantID,
		now, later, "Mozilla\x1b[2J")

	for suffix, offline := range map[string]bool{"_online": false, "_offline": true} {
		o.exec(`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
VALUES ($1, 'web', $2, $3, $4, 'openid', $5, $6, $7)`, id+suffix, userID, tenantID, id, offline, now, later)
	}
}

func (o office) revoked() (ids []string) {
	o.t.Helper()
	require.NoError(o.t,
		o.db.Select(o.t.Context(), "test.revoked", &ids,
			`SELECT id FROM grants WHERE revoked_at IS NOT NULL ORDER BY id`))
	return ids
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		ada := o.person()
		var acme tenantView
		o.json(&acme, "tenant", "show", "acme")
		o.done("app", "create", "web", "--name", "Web", "--type", "WEB",
			"--backchannel-logout-uri", "https://web.test/out")
		o.done("app", "create", "other", "--name", "Other", "--type", "WEB")

		for _, id := range []string{"ses_1", "ses_2", "ses_3", "ses_idle"} {
			o.signIn(id, ada.ID, acme.ID)
		}

		o.exec(`UPDATE sessions SET last_seen_at = $1 WHERE id = 'ses_idle'`,
			database.At(time.Now().Add(-13*time.Hour)))
		listed := func(args ...string) (ids []string) {
			var views []sessionView
			o.json(&views, append([]string{"session", "list"}, args...)...)
			for _, v := range views {
				require.Equal(t, "acme ada@acme.test", v.Tenant+" "+v.Email)
				ids = append(ids, v.ID)
			}
			return ids
		}

		require.ElementsMatch(t, []string{"ses_1", "ses_2", "ses_3"}, listed())
		require.Len(t, listed("--all", "--user", "ada@acme.test", "--tenant", "acme", "--app", "web"), 4)
		require.Len(t, listed("--all", "--limit", "1"), 1)
		require.Empty(t, listed("--app", "other"))
		require.Regexp(t, `(?m)^ses_1 +ada@acme.test +acme .* 192.0.2.7 +Mozilla\x{FFFD}\[2J$`,
			o.done("session", "list"), "a browser's name steers no terminal")

		require.Contains(t, o.done("session", "end", "ses_1", "--dry-run"), "dry run")
		require.Empty(t, o.revoked())
		require.Contains(t, o.failed("session", "end", "ses_1", "ses_none"), "there is no session \"ses_none\"")
		require.Empty(t, o.revoked(), "all or nothing")

		require.Regexp(t, `ended +session +ses_1`, o.done("session", "end", "ses_1"))
		require.Equal(t, []string{"ses_1_online"}, o.revoked(), "offline access outlives the session")
		require.Contains(t, o.done("session", "end", "ses_1"), "0 changed, 1 unchanged")
		require.NotContains(t, listed(), "ses_1")
		var told []string
		require.NoError(t, o.db.Select(t.Context(), "test.outbox", &told, `SELECT session_id FROM logout_outbox`))
		require.Equal(t, []string{"ses_1"}, told, "the application hears of it")

		o.in = "new password"
		o.done("user", "set-password", ada.ID)
		require.Len(t, listed(), 2)
		require.Regexp(t, `ended +session +ses_2`, o.done("user", "disable", "ada@acme.test", "--dry-run"))
		require.Contains(t, o.done("session", "end", "--user", "ada@acme.test"),
			"3 changed, 0 unchanged", "idle ones too")
		require.Empty(t, listed())

		o.signIn("ses_4", ada.ID, acme.ID)
		o.done("user", "set-password", ada.ID, "--end-sessions")
		require.Contains(t, o.revoked(), "ses_4_online")
		o.signIn("ses_5", ada.ID, acme.ID)
		o.done("user", "disable", ada.ID)
		require.Contains(t, o.revoked(), "ses_5_online")
		require.Equal(t, []string{"operator.user_changed disabled ", "session.ended  "},
			o.trail("--user", "ada@acme.test", "--limit", "2"))
	})
}
