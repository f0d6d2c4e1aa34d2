package sqlstore_test

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var devicesAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// storedDevice stores a device code of the application "tv", approved under
// grantID unless that is empty, and returns its hash.
func storedDevice(t *testing.T, db *database.DB, grantID string) []byte {
	t.Helper()
	code, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	userCode, err := oauth.NewUserCode(rand.Reader)
	require.NoError(t, err)
	hash := oauth.HashSecret(code)
	_, err = db.Exec(t.Context(), "test",
		`INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, resource, interval_seconds, created_at, expires_at)
		VALUES ($1, $2, 'tv', 'openid email', 'https://api.test', 5, $3, $4)`, hash, userCode, database.At(devicesAt),
		database.At(devicesAt.Add(10*time.Minute)))
	require.NoError(t, err)

	if grantID != "" {
		change(t, db,
			`INSERT INTO users (id, email, created_at, updated_at) VALUES ('usr_1', 'one@acme.test', $1, $1) ON CONFLICT DO NOTHING`, database.At(
				devicesAt))
		change(t, db,
			`INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
			VALUES ('ses_1', $1, 'usr_1', 'tnt_1', $2, '1', '["pwd"]', $2, $2, $3) ON CONFLICT DO NOTHING`,
			hash, database.At(devicesAt), database.At(devicesAt.Add(time.Hour)))
		_, err = db.Exec(t.Context(), "test",
			`UPDATE device_codes SET decision = 'approved', decided_at = $2, grant_id = $3, user_id = 'usr_1', tenant_id = 'tnt_1',
			session_id = 'ses_1', auth_time = $2, acr = '1', amr = '["pwd"]' WHERE device_code_hash = $1`, hash,
			database.At(devicesAt), grantID)
		require.NoError(t, err)
	}

	return hash
}

// atOnce runs f in n goroutines that start together, and returns their errors.
func atOnce(n int, f func() error) []error {
	results := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)

	for i := range results {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			results[i] = f()
		})
	}

	done.Wait()
	return results
}

// RFC 8628 3.5.
func TestPollDeviceKeepsTheRulesInTheRow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForToken(db)
		hash := storedDevice(t, db, "")
		_, err := store.PollDevice(t.Context(), hash, "other", devicesAt)
		require.ErrorIs(t, err, grants.ErrNotFound)
		_, err = store.PollDevice(t.Context(), oauth.HashSecret("x"), "tv", devicesAt)
		require.ErrorIs(t, err, grants.ErrNotFound)

		first, err := store.PollDevice(t.Context(), hash, "tv", devicesAt)
		require.NoError(t, err)
		require.False(t, first.TooFast, "another client's poll counted for nothing")
		require.Equal(t, oauth.Scopes{"openid", "email"}, first.Scope)
		require.Equal(t, "https://api.test", first.Resource)
		require.Equal(t, devicesAt.Add(10*time.Minute), first.ExpiresAt)
		require.Equal(t, time.UTC, first.ExpiresAt.Location())

		second, err := store.PollDevice(t.Context(), hash, "tv", devicesAt.Add(time.Second))
		require.NoError(t, err)
		require.True(t, second.TooFast)
		again, err := store.PollDevice(t.Context(), hash, "tv", devicesAt.Add(9*time.Second))
		require.NoError(t, err)
		require.False(t, again.TooFast)
		require.Equal(t, 10*time.Second, again.Interval)
		require.Equal(t, devicesAt.Add(9*time.Second), again.LastPolledAt)

		late, err := store.PollDevice(t.Context(), hash, "tv", devicesAt.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, devicesAt.Add(9*time.Second), late.LastPolledAt, "an expired code is not polled any more")
	})
}

// RFC 8628 3.5.
func TestOfFiftyPollsAtOnceOneIsTheFirst(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForToken(db)
		hash := storedDevice(t, db, "")
		var mu sync.Mutex
		compliant := 0
		for _, err := range atOnce(50, func() error {
			poll, err := store.PollDevice(t.Context(), hash, "tv", devicesAt)
			if err == nil && !poll.TooFast {
				mu.Lock()
				compliant++
				mu.Unlock()
			}
			return err
		}) {
			require.NoError(t, err)
		}

		require.Equal(t, 1, compliant)
	})
}

// RFC 8628 3.4: a device code is used once, as a code is (RFC 6749 4.1.2).
func TestRedeemDeviceSucceedsOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		change(t, db,
			`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('tv', 'TV', 'NATIVE', 'GLOBAL', $1, $1)`, database.At(
				devicesAt))
		change(t, db,
			`INSERT INTO tenants (id, slug, name, created_at, updated_at) VALUES ('tnt_1', 'one', 'One', $1, $1)`,
			database.At(devicesAt))
		change(t, db,
			`INSERT INTO users (id, email, created_at, updated_at) VALUES ('usr_1', 'one@one.test', $1, $1)`,
			database.At(devicesAt))
		change(t, db,
			`INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ('usr_1', 'tnt_1', $1)`,
			database.At(devicesAt))
		store := sqlstore.NewForToken(db)
		g := grants.Grant{
			ID:        "gnt_1",
			ClientID:  "tv",
			UserID:    "usr_1",
			TenantID:  "tnt_1",
			Scope:     oauth.Scopes{"openid"},
			Offline:   true,
			AuthTime:  devicesAt,
			ACR:       "1",
			AMR:       []string{"pwd"},
			CreatedAt: devicesAt,
		}

		end := devicesAt.Add(time.Hour)
		require.ErrorIs(t, store.RedeemDevice(t.Context(), storedDevice(t, db, ""), g, nil, end, devicesAt),
			grants.ErrNotFound, "it was not approved")
		require.ErrorIs(t, store.RedeemDevice(t.Context(), storedDevice(t, db, "gnt_other"), g, nil, end, devicesAt),
			grants.ErrNotFound, "approved under another grant")
		require.ErrorIs(t,
			store.RedeemDevice(t.Context(), storedDevice(t, db, "gnt_1"), g, nil, end, devicesAt.Add(10*time.Minute)),
			grants.ErrExpired)

		hash := storedDevice(t, db, "gnt_1")
		redeemed := 0
		for _, err := range atOnce(50,
			func() error { return store.RedeemDevice(t.Context(), hash, g, nil, end, devicesAt) }) {
			if err == nil {
				redeemed++
				continue
			}
			require.ErrorIs(t, err, grants.ErrConsumed)
		}

		require.Equal(t, 1, redeemed)
		poll, err := store.PollDevice(t.Context(), hash, "tv", devicesAt)
		require.NoError(t, err)
		require.Equal(t, devicesAt, poll.ConsumedAt)
		standing, err := store.Standing(t.Context(), "gnt_1", nil, devicesAt)
		require.NoError(t, err)
		require.Equal(t, g, standing.Grant)
	})
}
