package database_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// A world in which Ada is signed in at this moment, in a browser whose cookies have the
// hashes c0… and b0…, an application waits for her, and so does a device.
const (
	adasCookie  = "c000000000000000000000000000000000000000000000000000000000000000"
	adasBrowser = "b000000000000000000000000000000000000000000000000000000000000000"
)

var adaIsSignedIn = []string{
	`INSERT INTO tenants (id, slug, name, created_at, updated_at) VALUES ('acme', 'acme', 'Acme', now(), now())`,
	`INSERT INTO users (id, email, created_at, updated_at) VALUES ('ada', 'ada@acme.test', now(), now())`,
	`INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ('ada', 'acme', now())`,
	`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('evil', 'Evil', 'NATIVE', 'GLOBAL', now(), now())`,
	`INSERT INTO sessions (id, cookie_hash, browser_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
		VALUES ('ses', '\x` + adasCookie + `', '\x` + adasBrowser + `', 'ada', 'acme', now(), '1', '["pwd"]', now(), now(), now() + interval '1 day')`,
	`INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, session_id, tenant_id, decision, created_at, expires_at)
		VALUES ('flw', 'authorize', '\xf0', 'evil', 'https://evil.test', 'query', 'openid', 'ses', 'acme', 'consented', now(), now() + interval '1 hour')`,
	`INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, interval_seconds, created_at, expires_at)
		VALUES ('\xd0', 'WAIT-WAIT', 'evil', 'openid', 5, now(), now() + interval '1 hour')`,
}

// forgery is a statement that lets a device or an application in as Ada. %s is what its
// author says is a hash of her cookie.
var forgeries = map[string]string{
	"a code": `INSERT INTO authorization_codes (code_hash, client_id, redirect_uri, scope, grant_id, offline, user_id, tenant_id, session_id, auth_time, acr, amr, created_at, expires_at, session_proof)
		VALUES ('\xe0', 'evil', 'https://evil.test', 'openid offline_access', 'gnt', true, 'ada', 'acme', 'ses', now(), '1', '["pwd"]', now(), now() + interval '1 minute', %s)`,
	"an approval": `UPDATE device_codes SET decision = 'approved', decided_at = now(), grant_id = 'gnt', user_id = 'ada', tenant_id = 'acme', session_id = 'ses',
		auth_time = now(), acr = '1', amr = '["pwd"]', session_proof = %s WHERE user_code = 'WAIT-WAIT'`,
	"a code of a device that is approved from its beginning": `INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, interval_seconds, created_at, expires_at, decision, grant_id, user_id, tenant_id, session_id, session_proof)
		VALUES ('\xd1', 'EVIL-EVIL', 'evil', 'openid', 5, now(), now() + interval '1 hour', 'approved', 'gnt', 'ada', 'acme', 'ses', %s)`,
	"another row's approval": `UPDATE device_codes SET session_id = 'ses', session_proof = %s, decision = 'approved' WHERE device_code_hash = '\xd0'`,
}

// readable returns everything that a connection can read, as PostgreSQL prints it.
func readable(t *testing.T, owner, db *database.DB) (values []string) {
	t.Helper()
	for _, table := range tables(t, owner) {
		var columns []string
		require.NoError(t, db.Select(t.Context(), "test.columns", &columns, columnsOf, table, "SELECT"))
		for _, column := range columns {
			var found []string
			require.NoError(t, db.Select(t.Context(), "test.read", &found,
				fmt.Sprintf(`SELECT %s::text FROM %s WHERE %s IS NOT NULL`, column, table, column)))
			values = append(values, found...)
		}
	}
	return values
}

// guesses are proofs that an attacker can make of what they read: none, every value that
// is a hash, and the hash of every value.
func guesses(read []string) []string {
	proofs := []string{"NULL", `''`, `'\x` + strings.Repeat("00", sha256.Size) + `'`}
	for _, value := range read {
		sum := sha256.Sum256([]byte(value))
		proofs = append(proofs, `'\x`+hex.EncodeToString(sum[:])+`'`)
		if raw, isHash := strings.CutPrefix(value, `\x`); isHash {
			bytes, err := hex.DecodeString(raw)
			sum := sha256.Sum256(bytes)
			if err == nil {
				proofs = append(proofs, `'\x`+raw+`'`, `'\x`+hex.EncodeToString(sum[:])+`'`)
			}
		}
	}

	slices.Sort(proofs)
	return slices.Compact(proofs)
}

// What an attacker holds who knows a role's password: all that it can read, and all that
// it can write, while a person is signed in. The session and token roles are left out,
// since signing people in and issuing tokens is what they are for; so is the operator's,
// which sets passwords.
func TestALeakedRoleMintsNothingForAPersonWhoIsSignedIn(t *testing.T) {
	server := testkit.PostgresServer(t)
	for _, role := range []string{"platform_authorize", "platform_device", "platform_keys"} {
		t.Run(role, func(t *testing.T) {
			url := server.NewDatabase(t)
			owner := testkit.OpenPostgres(t, url)
			for _, statement := range adaIsSignedIn {
				_, err := owner.Exec(t.Context(), "test.fill", statement)
				require.NoError(t, err)
			}

			leaked := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
			read := readable(t, owner, leaked)
			require.NotContains(t, read, `\x`+adasCookie)
			require.NotContains(t, read, `\x`+adasBrowser)

			for _, proof := range guesses(read) {
				requireNothingMinted(t, leaked, proof)
			}

			for _, statement := range []string{
				`UPDATE authorization_requests SET decision = 'consented', session_id = 'ses'`,
				`INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, created_at, expires_at, decision)
					VALUES ('x', 'authorize', '\x00', 'evil', '', '', '', now(), now(), 'consented')`,
				`INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, created_at, expires_at, session_id)
					VALUES ('x', 'authorize', '\x00', 'evil', '', '', '', now(), now(), 'ses')`,
				`UPDATE device_codes SET ends = 1`, `UPDATE sessions SET cookie_hash = '\x00'`, `SELECT cookie_hash FROM sessions`,
				`SELECT require_session_proof('ses', NULL)`, `ALTER TABLE authorization_codes DISABLE TRIGGER code_begins`,
				`SET session_replication_role = replica`, `SET SESSION AUTHORIZATION platform_session`, `SET ROLE platform_session`,
			} {
				_, err := leaked.Exec(t.Context(), "test.refused", statement)
				require.Error(t, err, statement)
				require.Regexp(t, `permission denied|must be owner`, err.Error(), statement)
			}

			minted(t, owner, 0)
		})
	}
}

func requireNothingMinted(t *testing.T, leaked *database.DB, proof string) {
	t.Helper()
	for name, forgery := range forgeries {
		_, err := leaked.Exec(t.Context(), "test.forge", fmt.Sprintf(forgery, proof))
		require.Error(t, err, "%s with %s", name, proof)
		require.Regexp(t, `permission denied|no proof of the session`, err.Error())
	}

	for _, function := range []string{"session_of_cookie", "sessions_of_browser"} {
		var found []string
		err := leaked.Select(t.Context(), "test.find", &found, fmt.Sprintf(`SELECT id FROM %s(%s)`, function, proof))
		if err != nil {
			require.ErrorContains(t, err, "permission denied for function")
		}
		require.Empty(t, found, "%s(%s)", function, proof)
	}
}

func minted(t *testing.T, owner *database.DB, want int) {
	t.Helper()
	var n int
	require.NoError(t, owner.Get(t.Context(), "test.count", &n, `
SELECT (SELECT count(*) FROM authorization_codes) + (SELECT count(*) FROM device_codes WHERE decision <> '')`))
	require.Equal(t, want, n)
}

// The triggers read the real tables, whatever tables of these names a connection makes
// for itself.
func TestNoTemporaryTableStandsInForTheSessions(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	for _, statement := range adaIsSignedIn {
		_, err := owner.Exec(t.Context(), "test.fill", statement)
		require.NoError(t, err)
	}

	for role, forgery := range map[string]string{
		"platform_authorize": forgeries["a code"], "platform_device": forgeries["an approval"],
	} {
		leaked := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
		err := leaked.Tx(t.Context(), "test.shadow", func(tx *database.Tx) error {
			for _, statement := range []string{
				`CREATE TEMPORARY TABLE sessions (id text, cookie_hash bytea, browser_hash bytea, ends bigint)`,
				`INSERT INTO pg_temp.sessions VALUES ('ses', '\x01', '\x01', 0)`,
			} {
				_, err := tx.Exec(t.Context(), "test.shadow", statement)
				require.NoError(t, err)
			}
			_, err := tx.Exec(t.Context(), "test.forge", fmt.Sprintf(forgery, `'\x01'`))
			return err
		})
		require.ErrorContains(t, err, "no proof of the session", role)
	}

	minted(t, owner, 0)
}

// The other side of the rule: with the hash of a cookie of the session, which the service
// knows from the browser, the same statements succeed.
func TestTheHashOfACookieLetsTheServicesIssue(t *testing.T) {
	server := testkit.PostgresServer(t)
	for _, cookie := range []string{adasCookie, adasBrowser} {
		url := server.NewDatabase(t)
		owner := testkit.OpenPostgres(t, url)
		for _, statement := range adaIsSignedIn {
			_, err := owner.Exec(t.Context(), "test.fill", statement)
			require.NoError(t, err)
		}

		for role, forgery := range map[string]string{
			"platform_authorize": forgeries["a code"], "platform_device": forgeries["an approval"],
		} {
			db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
			_, err := db.Exec(t.Context(), "test.issue", fmt.Sprintf(forgery, `'\x`+cookie+`'`))
			require.NoError(t, err, role)
		}

		minted(t, owner, 2)
	}
}

// While an upgrade rolls out, replicas of the version before read sessions and issue codes
// without proof, as they always did; afterwards the rights are exactly the file's again.
func TestARolloutKeepsTheRightsOfTheVersionBefore(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	for _, statement := range adaIsSignedIn {
		_, err := owner.Exec(t.Context(), "test.fill", statement)
		require.NoError(t, err)
	}

	authorize := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_authorize"))
	device := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_device"))
	code := strings.NewReplacer(", session_proof)", ")", ", %s)", ")").Replace(forgeries["a code"])
	approval := strings.Replace(forgeries["an approval"], "session_proof = %s",
		`ends = ends + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = 'ses'), 0)`, 1)

	requireRightsOfRoles(t, owner, 0)
	require.NoError(t, database.ApplyRolesForRollout(t.Context(), owner))
	requireRightsOfRoles(t, owner, 0) // a role is given nothing that it did not have

	for _, grant := range []string{
		`GRANT SELECT ON sessions TO platform_authorize, platform_device`,
		`GRANT UPDATE (ends) ON device_codes TO platform_device`,
		`GRANT UPDATE (last_login_at) ON users TO platform_session`,
		`GRANT SELECT ON credentials TO platform_device`, // no version's
	} {
		_, err := owner.Exec(t.Context(), "test.before", grant)
		require.NoError(t, err)
	}

	require.NoError(t, database.ApplyRolesForRollout(t.Context(), owner))
	requireRightsOfRoles(t, owner, 4)
	for _, db := range []*database.DB{authorize, device} {
		var found string
		require.NoError(t, db.Get(t.Context(), "test.by_cookie", &found,
			`SELECT id FROM sessions WHERE cookie_hash = '\x`+adasCookie+`'`))
	}

	session := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_session"))
	for statement, db := range map[string]*database.DB{
		code: authorize, approval: device, `UPDATE users SET last_login_at = now()`: session,
	} {
		_, err := db.Exec(t.Context(), "test.before", statement)
		require.NoError(t, err)
	}

	minted(t, owner, 2)
	require.NoError(t, database.ApplyRoles(t.Context(), owner))
	requireRightsOfRoles(t, owner, 0)
	_, err := authorize.Exec(t.Context(), "test.before", strings.Replace(code, `'\xe0'`, `'\xe1'`, 1))
	require.ErrorContains(t, err, "no proof of the session")
}

// requireRightsOfRoles demands the rights of roles.sql and so many more, which the doctor
// names as what is left of a rollout.
func requireRightsOfRoles(t *testing.T, owner *database.DB, more int) {
	t.Helper()
	diff, err := database.CompareRights(t.Context(), owner)
	require.NoError(t, err)
	require.Empty(t, diff.Missing)
	require.Len(t, diff.Excess, more)
}
