package cli

import (
	"encoding/base64"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
)

// NIST SP 800-63B 5.2.2: an operator can end the wait of a person under attack, with the services' keys and only the
// operator's rights.
func TestAPersonIsUnlockedByTheKeysOfTheServices(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.person()
		require.Contains(t, o.wrong("user", "unlock", "ada@acme.test"), "set it to the services' keys")

		var key config.EncryptionKey
		key[0] = 7
		file := writeFile(t, base64.StdEncoding.EncodeToString(key[:]))
		o.environ = append(o.environ, encryptionVariable+"_FILE="+file)
		secret := config.Encryption{Keys: []config.EncryptionKey{key}}.Derive("limits")
		store := limitstore.New(o.db)
		now := time.Now()
		rule := limits.Rule{Failures: 1, Window: time.Hour, MinDelay: time.Hour}
		keys := limits.AccountKeys(secret, "ada@acme.test")
		pair, other := limits.NewKey(secret, "pair"), limits.NewKey(secret, "other")
		_, err := store.Fail(t.Context(), now, rule, keys[0]) // as an older version counted
		require.NoError(t, err)
		_, _, err = store.Take(t.Context(), now,
			limits.Claim{Key: pair, Rule: rule, Subject: limits.Account(secret, "ada@acme.test")},
			limits.Claim{Key: other, Rule: rule, Subject: limits.Account(secret, "bob@acme.test")})
		require.NoError(t, err)

		require.Contains(t, o.done("user", "unlock", "Ada@acme.test", "--dry-run"), "dry run")
		until, err := store.Blocked(t.Context(), now, keys[0], pair)
		require.NoError(t, err)
		require.NotZero(t, until)
		require.Regexp(t, `unlocked +user +ada@acme.test`, o.done("user", "unlock", "Ada@acme.test"))
		until, err = store.Blocked(t.Context(), now, keys[0], pair)
		require.NoError(t, err)
		require.Zero(t, until)
		until, err = store.Blocked(t.Context(), now, other)
		require.NoError(t, err)
		require.True(t, database.At(now.Add(time.Hour)).Equal(until), "another person's")
		require.Equal(t, "operator.user_changed unlocked ", o.trail("--limit", "1")[0])

		var report struct {
			Unchanged int `json:"unchanged"`
		}
		o.json(&report, "user", "unlock", "ada@acme.test")
		require.Equal(t, 1, report.Unchanged)
		require.Contains(t, o.failed("user", "unlock", "nobody@acme.test"), "platform user list")
		require.NoFileExists(t, filepath.Join(o.data, encryptionFile), "it makes no key")
	})
}
