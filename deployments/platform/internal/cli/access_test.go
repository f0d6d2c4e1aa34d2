package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each command that ends access also ends offline grants and notifies the application,
// and enabling again doesn't restore anything.
func TestEachCommandThatEndsAccessEndsAllOfIt(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		ada := o.person()
		var acme tenantView
		o.json(&acme, "tenant", "show", "acme")
		o.done("app", "create", "web", "--name", "Web", "--type", "WEB",
			"--backchannel-logout-uri", "https://web.test/out")
		o.in = "new password"

		for name, tt := range map[string]struct {
			end, again []string
			changes    string
			stays      bool // the session
		}{
			"user disable": {
				end:     []string{"user", "disable", ada.ID},
				again:   []string{"user", "enable", ada.ID},
				changes: `disabled +user +ada@acme.test`,
			},
			"user revoke": {
				end:     []string{"user", "revoke", "ada@acme.test"},
				changes: `revoked +user +ada@acme.test`,
			},
			"in a tenant": {
				end:     []string{"user", "revoke", ada.ID, "--tenant", "acme"},
				changes: `revoked +user +ada@acme.test`,
			},
			"set-password": {
				end:     []string{"user", "set-password", ada.ID, "--end-sessions"},
				changes: `revoked +user +ada@acme.test`,
			},
			"tenant off": {
				end:     []string{"tenant", "disable", "acme"},
				again:   []string{"tenant", "enable", "acme"},
				changes: `disabled +tenant +acme`,
			},
			"tenant revoke": {end: []string{"tenant", "revoke", acme.ID}, changes: `revoked +tenant +acme`},
			"app disable": {
				end:     []string{"app", "disable", "web"},
				again:   []string{"app", "enable", "web"},
				changes: `disabled +application +web`,
				stays:   true,
			},
			"app revoke": {end: []string{"app", "revoke", "web"}, changes: `revoked +application +web`, stays: true},
		} {
			for _, table := range []string{"logout_outbox", "grants", "sessions", "access_ends"} {
				o.exec(`DELETE FROM ` + table)
			}

			o.signIn("ses_1", ada.ID, acme.ID)

			require.Contains(t, o.done(append(tt.end, "--dry-run")...), "dry run", name)
			require.Empty(t, o.revoked(), name)
			require.Regexp(t, tt.changes, o.done(tt.end...), name)
			require.Equal(t, []string{"ses_1_offline", "ses_1_online"}, o.revoked(), name)
			var ended, told []string
			require.NoError(t,
				o.db.Select(t.Context(), "test.ended", &ended, `SELECT id FROM sessions WHERE ended_at IS NOT NULL`))
			require.Equal(t, tt.stays, len(ended) == 0, name)
			require.NoError(t, o.db.Select(t.Context(), "test.told", &told, `SELECT id FROM logout_outbox`))
			require.Equal(t, []string{"ses_1:web"}, told, name)

			if tt.again != nil {
				require.Contains(t, o.done(tt.end...), "0 changed", name)
				require.Regexp(t, `enabled +`, o.done(tt.again...), name)
				require.Contains(t, o.done(tt.again...), "0 changed, 1 unchanged", name)
				require.Len(t, o.revoked(), 2, name)
			}
		}
	})
}
