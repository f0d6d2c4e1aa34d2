package database_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// rights are what a role may do with a table: verbs on all of it, and the
// columns it may update, insert or read where that is not all of them.
type rights struct {
	verbs  string   // of S(elect), I(nsert), U(pdate), D(elete), in this order
	update []string // columns
	insert []string // columns
	read   []string // columns
}

var (
	read = rights{verbs: "S"}
	own  = rights{verbs: "SIUD"}
	// add is what every role may do with the audit trail.
	add = rights{verbs: "I"}
	// counts is for ending access.
	counts = rights{verbs: "SI", update: []string{"ends", "finished"}}
	// used is an assertion's row; the column is for locking it.
	used = rights{verbs: "SID", update: []string{"expires_at"}}
)

// matrix is the table "Who owns which table" as the database shall see it. What
// is not named is refused.
var matrix = map[string]map[string]rights{
	"platform_authorize": {
		"access_ends":            read,
		"goose_db_version":       read,
		"applications":           read,
		"signing_keys":           read,
		"change_versions":        read,
		"change_keys":            read,
		"tenants":                read,
		"users":                  read,
		"memberships":            read,
		"limits":                 own,
		"audit_events":           add,
		"consents":               read,
		"sessions":               {verbs: "S", update: []string{"last_seen_at"}},
		"authorization_requests": {verbs: "SID", update: []string{"consumed_at"}},
		"authorization_codes":    {verbs: "SID", update: []string{"consumed_at"}},
	},
	"platform_token": {
		"access_ends":         read,
		"goose_db_version":    read,
		"applications":        read,
		"signing_keys":        read,
		"change_versions":     read,
		"change_keys":         read,
		"tenants":             read,
		"users":               read,
		"memberships":         read,
		"sessions":            read,
		"consents":            read,
		"application_secrets": read,
		"authorization_codes": {verbs: "S", update: []string{"consumed_at"}},
		"device_codes":        {verbs: "S", update: []string{"consumed_at", "interval_seconds", "last_polled_at"}},
		"grants":              own,
		"refresh_tokens":      own,
		"revoked_tokens":      own,
		"used_assertions":     used,
		"limits":              own,
		"audit_events":        add,
	},
	"platform_device": {
		"access_ends":            read,
		"goose_db_version":       read,
		"applications":           read,
		"signing_keys":           read,
		"change_versions":        read,
		"change_keys":            read,
		"tenants":                read,
		"users":                  read,
		"memberships":            read,
		"sessions":               read,
		"consents":               read,
		"application_secrets":    read,
		"used_assertions":        used,
		"limits":                 own,
		"audit_events":           add,
		"authorization_requests": {verbs: "SI", update: []string{"consumed_at"}},
		"device_codes": {verbs: "SID", update: []string{
			"acr", "amr", "auth_time", "decided_at", "decision", "ends", "grant_id",
			"session_id", "tenant_id", "user_id",
		}},
	},
	"platform_session": {
		"access_ends":      counts,
		"goose_db_version": read,
		"applications":     read,
		"signing_keys":     read,
		"change_versions":  read,
		"change_keys":      read,
		"tenants":          read,
		"tenant_domains":   read,
		"memberships":      read,
		"users":            {verbs: "S", update: []string{"last_login_at"}},
		"user_logins":      {verbs: "SI", update: []string{"last_login_at"}},
		"credentials":      {verbs: "S", update: []string{"password_hash", "updated_at"}},
		"sessions":         own,
		"consents":         own,
		"logout_outbox":    own,
		"limits":           own,
		"audit_events":     add,
		"authorization_requests": {
			verbs: "S",
			update: []string{
				"browser_hash", "decided_at", "decision", "expires_at", "login_email", "session_id", "tenant_id",
			},
			insert: []string{
				"acr_values", "browser_hash", "client_id", "code_challenge", "created_at", "expires_at",
				"hint_subject", "id", "kind",
				"login_email", "login_hint", "max_age", "nonce", "prompt", "redirect_uri", "resource",
				"response_mode", "scope", "state",
				"tenant_id", "trace_parent", "ui_locales", "user_code",
			},
		},
		"grants": {verbs: "S", update: []string{"ends", "revoked_at"}},
		"authorization_codes": {
			read: []string{
				"client_id", "consumed_at", "created_at", "ends", "expires_at", "offline",
				"session_id", "tenant_id", "user_id",
			},
			update: []string{"ends", "expires_at"},
		},
		"device_codes": {
			read: []string{
				"client_id", "consumed_at", "created_at", "decision", "ends", "expires_at", "tenant_id", "user_id",
			}, update: []string{"expires_at"},
		},
	},
	"platform_keys": {
		"goose_db_version": read,
		"applications":     read,
		"change_versions":  read,
		"change_keys":      read,
		"audit_events":     {verbs: "I", read: []string{"at", "chain", "hash", "seq", "service"}},
		"audit_seals":      {verbs: "SI"},
		"signing_keys":     {verbs: "SID", update: []string{"active_from", "retire_at", "revoked_at"}},
		"key_orders":       {verbs: "SD"},
	},
	"platform_operator": {
		"access_ends":         counts,
		"goose_db_version":    read,
		"change_versions":     read,
		"change_keys":         read,
		"signing_keys":        {verbs: "S", update: []string{"revoked_at"}},
		"key_orders":          {verbs: "SI", update: []string{"immediate"}},
		"tenants":             own,
		"tenant_domains":      own,
		"users":               own,
		"memberships":         own,
		"credentials":         own,
		"applications":        own,
		"application_secrets": own,
		"directory_marks":     own,
		"user_logins":         read,
		"sessions": {update: []string{"ended_at"}, read: []string{
			"acr", "address", "amr", "auth_time", "created_at", "ended_at", "ends", "expires_at", "id", "last_seen_at",
			"person_ends", "tenant_id", "user_agent", "user_id",
		}},
		"grants": {verbs: "S", update: []string{"revoked_at"}},
		"authorization_codes": {
			read: []string{
				"client_id", "consumed_at", "created_at", "ends", "expires_at", "session_id", "tenant_id", "user_id",
			},
			update: []string{"expires_at"},
		},
		"device_codes": {
			read:   []string{"client_id", "consumed_at", "created_at", "ends", "expires_at", "tenant_id", "user_id"},
			update: []string{"expires_at"},
		},
		"authorization_requests": {
			read: []string{"client_id", "consumed_at", "created_at", "expires_at"}, update: []string{"expires_at"},
		},
		"consents":      read,
		"audit_events":  {verbs: "SI"},
		"audit_seals":   read,
		"logout_outbox": add,
		"limits":        {verbs: "D", read: []string{"key", "subject"}},
	},
}

const verbsOf = `SELECT
	CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN 'S' ELSE '' END ||
	CASE WHEN has_table_privilege(c.oid, 'INSERT') THEN 'I' ELSE '' END ||
	CASE WHEN has_table_privilege(c.oid, 'UPDATE') THEN 'U' ELSE '' END ||
	CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'D' ELSE '' END ||
	CASE WHEN has_table_privilege(c.oid, 'TRUNCATE, REFERENCES, TRIGGER') THEN '!' ELSE '' END
	FROM pg_class c WHERE c.oid = to_regclass($1)`

// columnsOf lists the columns that the current user may update (or read, or
// insert into), whether by a right to the column or to the table.
const columnsOf = `SELECT attname FROM pg_attribute
	WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND has_column_privilege(attrelid, attnum, $2)
	ORDER BY attname COLLATE "C"`

func TestEveryRoleMayDoWhatTheMatrixSaysAndNothingElse(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	names := tables(t, testkit.OpenPostgres(t, url))
	require.Len(t, names, 28, "a new table needs its rights here and in roles.sql")

	for role, granted := range matrix {
		for name := range granted {
			require.Contains(t, names, name)
		}

		t.Run(role, func(t *testing.T) {
			db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
			for _, table := range names {
				t.Run(table, func(t *testing.T) { requireRights(t, db, table, granted[table]) })
			}
		})
	}
}

func requireRights(t *testing.T, db *database.DB, table string, want rights) {
	t.Helper()
	var verbs string
	require.NoError(t, db.Get(t.Context(), "test.verbs", &verbs, verbsOf, table))
	require.Equal(t, want.verbs, verbs)

	columns := func(verb string) (names []string) {
		require.NoError(t, db.Select(t.Context(), "test.columns", &names, columnsOf, table, verb))
		return names
	}
	if !strings.Contains(want.verbs, "S") {
		require.Equal(t, want.read, columns("SELECT"))
	}

	if !strings.Contains(want.verbs, "I") {
		require.Equal(t, want.insert, columns("INSERT"))
	}

	if !strings.Contains(want.verbs, "U") {
		require.Equal(t, want.update, columns("UPDATE"))
	}

	require.Empty(t, columns("REFERENCES"))
	requireBehaviour(t, db, table, want, columns("UPDATE"))
}

// requireBehaviour runs statements, for the catalogue is not the whole truth: an
// owner, a superuser or a view would get past it.
func requireBehaviour(t *testing.T, db *database.DB, table string, want rights, update []string) {
	t.Helper()
	var columns []string
	require.NoError(t, db.Select(t.Context(), "test.columns", &columns,
		`SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, table))
	try := func(allowed bool, statement string) {
		t.Helper()
		// EXPLAIN checks the rights as execution does, and touches no row.
		var plan []string
		err := db.Select(t.Context(), "test.try", &plan, `EXPLAIN `+statement)
		if allowed {
			require.NoError(t, err, statement)
		} else {
			require.ErrorContains(t, err, "permission denied for table "+table, statement)
		}
	}

	may := func(verb string) bool { return strings.Contains(want.verbs, verb) }
	try(may("S"), fmt.Sprintf(`SELECT * FROM %s`, table))
	try(may("D"), fmt.Sprintf(`DELETE FROM %s`, table))
	try((may("S") || slices.Contains(want.read, columns[0])) && len(update) > 0,
		fmt.Sprintf(`SELECT %s FROM %s FOR UPDATE SKIP LOCKED`, columns[0], table))

	for _, column := range columns {
		try(may("S") || slices.Contains(want.read, column), fmt.Sprintf(`SELECT %s FROM %s`, column, table))
		try(may("I") || slices.Contains(want.insert, column),
			fmt.Sprintf(`INSERT INTO %s (%s) VALUES (NULL)`, table, column))
		try(may("U") || slices.Contains(update, column), fmt.Sprintf(`UPDATE %s SET %s = NULL`, table, column))
	}
}

// What really runs, row by row, for the rights that would hurt most.
func TestRefusalsThatMatterMost(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	addTenant(t, owner, "t")

	for _, statement := range []string{
		`INSERT INTO users (id, email, created_at, updated_at) VALUES ('u', 'u@example.com', now(), now())`,
		`INSERT INTO credentials (user_id, password_hash, updated_at) VALUES ('u', 'hash', now())`,
		`INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ('u', 't', now())`,
		`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('c', 'C', 'WEB', 'GLOBAL', now(), now())`,
		`INSERT INTO application_secrets (id, client_id, hash, created_at) VALUES ('s', 'c', '\x00', now())`,
		`INSERT INTO sessions (id, cookie_hash, user_id, auth_time, acr, amr, created_at, last_seen_at, expires_at) VALUES ('s', '\x00', 'u', now(), '', '[]', now(), now(), now())`,
	} {
		_, err := owner.Exec(t.Context(), "test.fill", statement)
		require.NoError(t, err)
	}

	tests := map[string][]string{
		"platform_authorize": {
			`SELECT hash FROM application_secrets`, `SELECT password_hash FROM credentials`,
			`UPDATE sessions SET user_id = 'x'`,
			`UPDATE sessions SET ended_at = NULL`, `INSERT INTO grants (id) VALUES ('x')`,
			`UPDATE authorization_requests SET decision = 'consented'`,
			`SELECT kind FROM audit_events`,
		},
		"platform_token": {
			`SELECT password_hash FROM credentials`, `INSERT INTO authorization_codes (code_hash) VALUES ('\x00')`,
			`UPDATE authorization_codes SET user_id = 'x'`,
			`SELECT id FROM authorization_requests`, `UPDATE device_codes SET decision = 'approved'`,
			`UPDATE sessions SET last_seen_at = now()`,
			`DELETE FROM audit_events`, `SELECT uri FROM logout_outbox`,
		},
		"platform_device": {
			`SELECT id FROM grants`, `SELECT password_hash FROM credentials`,
			`SELECT code_hash FROM authorization_codes`, `UPDATE device_codes SET consumed_at = NULL`,
			`SELECT token_hash FROM refresh_tokens`, `INSERT INTO revoked_tokens (jti) VALUES ('x')`,
			`UPDATE audit_events SET kind = 'x'`,
		},
		"platform_session": {
			`SELECT hash FROM application_secrets`, `SELECT code_hash FROM authorization_codes`,
			`UPDATE grants SET revoked_at = NULL, scope = 'x'`,
			`UPDATE authorization_requests SET redirect_uri = 'x'`,
			`INSERT INTO authorization_requests (id, decision) VALUES ('x', 'signed_in')`,
			`INSERT INTO authorization_requests (id, consumed_at) VALUES ('x', NULL)`,
			`UPDATE authorization_requests SET scope = 'x'`, `UPDATE authorization_requests SET consumed_at = NULL`,
			`UPDATE users SET email = 'x'`, `UPDATE applications SET first_party = true`,
			`SELECT successor_seal FROM refresh_tokens`, `DELETE FROM audit_events`,
		},
		"platform_keys": {
			`SELECT id FROM users`, `SELECT hash FROM application_secrets`, `UPDATE signing_keys SET public_jwk = '{}'`,
			`INSERT INTO key_orders (algorithm) VALUES ('x')`, `SELECT kind FROM audit_events`,
			`DELETE FROM audit_events`, `DROP TABLE audit_events_default`, `DELETE FROM audit_seals`,
			`UPDATE audit_seals SET events = 0`,
		},
		"platform_operator": {
			`SELECT cookie_hash FROM sessions`, `UPDATE sessions SET user_id = 'x'`,
			`INSERT INTO signing_keys (kid) VALUES ('x')`,
			`UPDATE signing_keys SET active_from = now()`, `DELETE FROM signing_keys`, `DELETE FROM key_orders`,
			`UPDATE key_orders SET generation = 1`,
			`INSERT INTO grants (id) VALUES ('x')`, `SELECT token_hash FROM refresh_tokens`,
			`UPDATE audit_events SET kind = 'x'`,
			`DELETE FROM audit_events`, `DELETE FROM audit_events_before`, `SELECT * FROM audit_events_default`,
			`UPDATE audit_seals SET events = 0`,
			`INSERT INTO audit_seals (day) VALUES ('x')`, `SELECT drop_audit_events(now(), 1)`,
			`SELECT keep_audit_months(1)`,
		},
	}

	require.Len(t, tests, len(matrix))

	for role, statements := range tests {
		t.Run(role, func(t *testing.T) {
			db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
			statements = append(statements, `CREATE TABLE mine (id text)`,
				`ALTER TABLE users ADD COLUMN x text`, `TRUNCATE users`,
				`SET ROLE postgres`,
				`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`, `CREATE ROLE other`)
			for _, statement := range statements {
				_, err := db.Exec(t.Context(), "test.refused", statement)
				require.Error(t, err, statement)
				require.Regexp(t, `permission denied|must be owner`, err.Error(), statement)
				require.Equal(t, database.KindOther, database.Classify(t.Context(), err))
			}

			require.NoError(t, db.CheckSchema(t.Context()))
		})
	}
}

// Foreign keys are checked, and cascade, with the owner's rights.
func TestTheSessionServiceWritesRowsThatReferToWhatItMayNotLock(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	_, err := owner.Exec(t.Context(), "test.fill",
		`INSERT INTO users (id, email, created_at, updated_at) VALUES ('u', 'u@example.com', now(), now())`)
	require.NoError(t, err)
	db := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_session"))
	const insert = `INSERT INTO sessions (id, cookie_hash, user_id, auth_time, acr, amr, created_at, last_seen_at, expires_at) VALUES ($1, $2, $3, now(), '', '[]', now(), now(), now())`
	_, err = db.Exec(t.Context(), "test.insert", insert, "s", []byte{0, 255}, "u")
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), "test.insert", insert, "t", []byte{1}, "nobody")
	require.ErrorContains(t, err, "foreign key")
}

func TestApplyRolesMakesTheRightsExactlyTheFiles(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	for _, statement := range []string{
		`GRANT SELECT ON credentials TO PUBLIC`,
		`GRANT ALL ON sessions TO platform_device`,
		`GRANT UPDATE (email), REFERENCES (id) ON users TO platform_token`,
		`REVOKE SELECT ON applications FROM platform_keys`,
	} {
		_, err := owner.Exec(t.Context(), "test.spoil", statement)
		require.NoError(t, err)
	}

	require.NoError(t, database.ApplyRoles(t.Context(), owner))

	for role, granted := range matrix {
		db := testkit.OpenPostgres(t, server.LoginURL(t, url, role))
		for _, table := range []string{"credentials", "sessions", "users", "applications"} {
			requireRights(t, db, table, granted[table])
		}
	}
}

// On a server of its own, for roles belong to all databases of a server.
func TestManyMayApplyRolesAtOnceToSeveralDatabases(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	admin := testkit.OpenPostgres(t, server.URL("postgres"))
	names := []string{server.EmptyDatabase(t), server.EmptyDatabase(t), server.EmptyDatabase(t)}
	_, err := admin.Exec(t.Context(), "test.drop", `DROP DATABASE platform_template`)
	require.NoError(t, err)

	for role := range matrix {
		_, err := admin.Exec(t.Context(), "test.drop", `DROP ROLE `+role)
		require.NoError(t, err)
	}

	handles := make([]*database.DB, 12)
	for i := range handles {
		handles[i] = testkit.OpenPostgres(t, names[i%len(names)])
		_, _, err := database.Migrate(t.Context(), handles[i], nil)
		require.NoError(t, err)
	}

	require.NoError(t, errors.Join(together(len(handles), func(i int) error {
		return database.ApplyRoles(t.Context(), handles[i])
	})...))
	var roles []string
	require.NoError(t,
		admin.Select(t.Context(), "test.roles", &roles,
			`SELECT rolname FROM pg_roles WHERE rolname LIKE 'platform\_%' AND NOT rolcanlogin AND NOT rolsuper`))
	require.Len(t, roles, len(matrix))
}

func TestSQLiteHasNoRoles(t *testing.T) {
	require.ErrorContains(t, database.ApplyRoles(t.Context(), testkit.SQLite(t)), "no roles")
}
