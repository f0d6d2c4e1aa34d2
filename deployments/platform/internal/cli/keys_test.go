package cli

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// ring gives an office keys like those that the keys service creates.
func (o office) ring(keys ...signing.Key) []signing.Key {
	o.t.Helper()
	maker, err := localkeys.Open(filepath.Join(o.t.TempDir(), "keys"))
	require.NoError(o.t, err)
	o.t.Cleanup(func() { _ = maker.Close() })

	for i, k := range keys {
		made := signingtest.NewKey(o.t, maker, k.Algorithm, k.Generation, k.PublishedAt)
		made.ActiveFrom, made.RetireAt, made.RevokedAt = k.ActiveFrom, k.RetireAt, k.RevokedAt
		require.NoError(o.t, keystore.New(o.db).Insert(o.t.Context(), made))
		keys[i] = made
	}

	return keys
}

func (o office) orders() (told []string) {
	o.t.Helper()
	require.NoError(o.t, o.db.Select(o.t.Context(), "test.orders", &told,
		`SELECT algorithm || ' ' || generation || CASE WHEN immediate THEN ' now' ELSE '' END FROM key_orders ORDER BY algorithm, generation`))
	return told
}

func TestKeysAreListedWithWhatTheyDo(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		now := time.Now().UTC().Truncate(time.Microsecond)
		key := func(generation int, active, retire, revoked time.Duration) signing.Key {
			k := signing.Key{
				Algorithm:   signing.ES256,
				Generation:  generation,
				PublishedAt: now.Add(-100 * time.Hour),
				ActiveFrom:  now.Add(active),
			}
			if retire != 0 {
				k.RetireAt = now.Add(retire)
			}

			if revoked != 0 {
				k.RevokedAt = now.Add(revoked)
			}

			return k
		}

		keys := o.ring(key(1, -90*time.Hour, -30*time.Hour, 0), key(2, -80*time.Hour, 0, -70*time.Hour),
			key(3, -60*time.Hour, 10*time.Hour, 0),
			key(4, -20*time.Hour, 0, 0), key(5, time.Hour, 0, 0))
		var views []keyView
		o.json(&views, "key", "list")
		require.Len(t, views, len(keys))

		for i, state := range []string{"retired", "revoked", "former", "active", "next"} {
			require.Equal(t, keys[i].KID, views[i].KID)
			require.Equal(t, state, views[i].State)
			require.True(t, keys[i].RetireAt.Equal(views[i].RetireAt))
		}

		require.Regexp(t,
			`^KID +ALGORITHM +STATE +PUBLISHED AT +ACTIVE FROM +RETIRE AT +REVOKED AT\n`, o.done("key", "list"))
	})
}

func TestARotationIsAskedOfTheKeysService(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		require.Contains(t, o.failed("key", "rotate"),
			"there is no signing key \"of any algorithm\": see `platform key list`")
		now := time.Now().UTC()
		o.ring(
			signing.Key{
				Algorithm:   signing.RS256,
				Generation:  1,
				PublishedAt: now,
				ActiveFrom:  now,
			},
			signing.Key{
				Algorithm:   signing.ES256,
				Generation:  1,
				PublishedAt: now,
				ActiveFrom:  now,
			},
			signing.Key{
				Algorithm:   signing.ES256,
				Generation:  2,
				PublishedAt: now,
				ActiveFrom:  now.Add(time.Hour),
			},
		)

		require.Contains(t, o.failed("key", "rotate", "--algorithm", "PS256"), `there is no signing key "PS256"`)
		require.Contains(t, o.wrong("key", "rotate", "--algorithm", "HS256"),
			"--algorithm must be RS256, PS256, ES256 or EdDSA")

		require.Contains(t, o.done("key", "rotate", "--dry-run"), "1 changed, 1 unchanged: dry run")
		require.Empty(t, o.orders())
		require.Regexp(t, `ordered +signing key +RS256 2\n1 changed, 1 unchanged`,
			o.done("key", "rotate", "--wait", "0s"))
		require.Equal(t, []string{"RS256 2"}, o.orders(), "ES256 has its next key")

		require.Contains(t, o.failed("key", "rotate", "--now", "--algorithm", "ES256", "--wait", "1ms"),
			"the keys service has not acted on it within 1ms")
		require.Equal(t, []string{"ES256 2 now", "RS256 2"}, o.orders(), "the key that is published already")
		o.done("key", "rotate", "--now", "--wait", "0s")
		require.Equal(t, []string{"ES256 2 now", "RS256 2 now"}, o.orders(), "what was asked for becomes urgent")
		o.done("key", "rotate", "--wait", "0s")
		require.Equal(t, []string{"ES256 2 now", "RS256 2 now"}, o.orders(), "and stays so")

		var done keyReport
		o.exec(`UPDATE signing_keys SET active_from = $1`, database.At(now.Add(-time.Minute)))
		o.json(&done, "key", "rotate", "--now", "--algorithm", "ES256", "--wait", "0s")
		require.Equal(t, []string{"ES256 2 now", "ES256 3 now", "RS256 2 now"}, o.orders())
		require.False(t, done.Done)
		require.Equal(t, "ES256 3", done.Changes[0].Name)
	})
}

func TestARevokedKeyIsNoMoreAndTheTrailTells(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		now := time.Now().UTC()
		keys := o.ring(
			signing.Key{
				Algorithm:   signing.ES256,
				Generation:  1,
				PublishedAt: now,
				ActiveFrom:  now.Add(-time.Hour),
			},
			signing.Key{
				Algorithm:   signing.ES256,
				Generation:  2,
				PublishedAt: now,
				ActiveFrom:  now.Add(time.Hour),
			},
		)

		require.Contains(t, o.failed("key", "revoke", "nobody"),
			"there is no signing key \"nobody\": see `platform key list`")
		require.Contains(t, o.done("key", "revoke", keys[0].KID, "--dry-run"), "1 changed, 0 unchanged: dry run")
		require.Contains(t, o.done("key", "list"), "active")

		require.Regexp(t, `revoked +signing key`, o.done("key", "revoke", keys[1].KID),
			"it did not sign: there is nothing to wait for")
		message := o.failed("key", "revoke", keys[0].KID, "--wait", "1ms")
		require.Contains(t, message, "the keys service has not acted on it")
		require.Contains(t, o.done("key", "revoke", keys[0].KID, "--wait", "0s"), "0 changed, 1 unchanged")
		stored, err := keystore.New(o.db).Keys(t.Context())
		require.NoError(t, err)

		for _, k := range stored {
			require.WithinDuration(t, time.Now(), k.RevokedAt, patience)
		}

		var events []eventView
		o.json(&events, "audit")
		require.Len(t, events, 2, "a rehearsal and a repetition leave no trace")

		for i, kid := range []string{keys[1].KID, keys[0].KID} {
			require.Equal(t, "keys.revoked", string(events[i].Kind))
			require.Equal(t, map[string]string{"kid": kid, "algorithm": "ES256"}, events[i].Detail)
		}
	})
}

// keySet is what the platform publishes.
func keySet(t *testing.T, addr string) string {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/api/v1/platform/.well-known/jwks.json")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	return string(body)
}

func TestARunningPlatformRotatesAndReplacesAsItIsTold(t *testing.T) {
	d := newDesk(t)
	addr := testkit.FreeAddr(t)
	u := d.up("--listen", addr, "--admin-listen", testkit.FreeAddr(t))
	u.ready("is ready")
	waiting := "--wait=" + patience.String() // for a machine on which the keys service takes long
	var next, now, revoked keyReport
	d.json(&next, "key", "rotate", "--algorithm", "ES256", waiting)
	require.True(t, next.Done)
	require.Equal(t, "next", next.Keys[0].State)
	require.Eventually(t, func() bool { return strings.Contains(keySet(t, addr), next.Keys[0].KID) },
		patience, 10*time.Millisecond)
	d.json(&now, "key", "rotate", "--algorithm", "ES256", "--now", waiting)
	require.True(t, now.Done)
	require.Equal(t, next.Keys[0].KID, now.Keys[0].KID, "the key that is published already")
	require.Equal(t, "active", now.Keys[0].State)

	d.json(&revoked, "key", "revoke", now.Keys[0].KID, waiting)
	require.True(t, revoked.Done)
	require.NotEqual(t, now.Keys[0].KID, revoked.Keys[0].KID)
	require.Eventually(t, func() bool { return !strings.Contains(keySet(t, addr), now.Keys[0].KID) },
		patience, 10*time.Millisecond)
	require.Regexp(t, `(?m)^\S+ +ES256 +active `, d.done("key", "list"))
	require.Equal(t, exitDone, u.end(), u.err.String())
}
