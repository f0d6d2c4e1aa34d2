package database_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// swept are the tables from which expired rows are removed:
// the key and the condition, as the stores have them.
var swept = map[string][2]string{
	"authorization_requests": {"id", "expires_at <= $1"},
	"authorization_codes":    {"code_hash", "expires_at <= $1"},
	"device_codes":           {"device_code_hash", "expires_at < $1"},
	"grants":                 {"id", "expires_at <= $1"},
	"refresh_tokens":         {"token_hash", "expires_at <= $1"},
	"revoked_tokens":         {"jti", "expires_at <= $1"},
	"used_assertions":        {"ctid", "expires_at <= $1"},
	"limits":                 {"key", "expires_at <= $1"},
	"sessions":               {"id", "expires_at < $1"},
	"logout_outbox":          {"id", "gave_up_at < $1"},
}

// A secret whose time is over is shown to the operator until it is replaced.
var notSwept = []string{"application_secrets"}

func TestEveryTableThatExpiresIsSweptByAnIndex(t *testing.T) {
	db := testkit.Postgres(t)
	var expiring []string
	require.NoError(t, db.Select(t.Context(), "test.columns", &expiring,
		`SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'expires_at'`))

	for _, table := range append(expiring, "logout_outbox") {
		sweep, ok := swept[table]
		require.NotEqual(t, ok, strings.Contains(strings.Join(notSwept, " "), table),
			"%s: say who removes its rows", table)

		if !ok {
			continue
		}

		for _, statement := range []string{
			`DELETE FROM ` + table + ` WHERE ` + sweep[0] + ` ` + db.Due(table, sweep[0], sweep[1]),
			`UPDATE refresh_tokens SET successor_seal = NULL WHERE token_hash ` +
				db.Due("refresh_tokens", "token_hash", "rotated_at <= $1 AND successor_seal IS NOT NULL"),
		} {
			var plan []string
			require.NoError(t, db.Tx(t.Context(), "test.plan", func(tx *database.Tx) error {
				// An empty table is read whole whenever that is possible; this says so only
				// where there is no other way.
				_, err := tx.Exec(t.Context(), "test.setting",
					`SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off`)
				require.NoError(t, err)
				statement := strings.NewReplacer("$1", "now()", "$2", "500").Replace(statement)
				return tx.Select(t.Context(), "test.explain", &plan, `EXPLAIN `+statement)
			}))

			text := strings.Join(plan, "\n")
			require.Contains(t, text, "LockRows", "it skips what others have locked")
			require.Contains(t, text, "Index Scan using", table)
			require.NotContains(t, text, "Seq Scan", fmt.Sprint(table, "\n", text))
			require.NotContains(t, text, "Sort", text)
		}
	}
}
