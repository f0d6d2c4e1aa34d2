package database_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// column is a column as its users see it.
type column struct {
	Table    string `db:"table_name"`
	Name     string `db:"column_name"`
	Type     string `db:"type"`
	Optional bool   `db:"optional"` // an INSERT may leave it out
	Nullable bool   `db:"nullable"` // a reader meets NULL
}

func columnsOfSchema(t *testing.T, db *database.DB) map[string]column {
	t.Helper()
	query := `SELECT table_name, column_name, data_type AS type, is_nullable = 'YES' AS nullable, is_nullable = 'YES' OR column_default IS NOT NULL AS optional
		FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'goose_db_version'
			AND NOT (SELECT relispartition FROM pg_class WHERE oid = table_name::regclass)`
	if db.Dialect() == database.SQLite {
		query = `SELECT m.name AS table_name, c.name AS column_name, lower(c.type) AS type, c."notnull" = 0 AS nullable, c."notnull" = 0 OR c.dflt_value IS NOT NULL AS optional
			FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`
	}

	var columns []column
	require.NoError(t, db.Select(t.Context(), "test.columns", &columns, query))
	byName := map[string]column{}
	for _, c := range columns {
		byName[c.Table+"."+c.Name] = c
	}

	return byName
}

// uniqueOfSchema are what may not be there twice, beside primary keys; that may only
// become less.
func uniqueOfSchema(t *testing.T, db *database.DB) (names []string) {
	t.Helper()
	query := `SELECT c.conrelid::regclass || ': ' || pg_get_constraintdef(c.oid) FROM pg_constraint c WHERE c.contype IN ('u', 'x') AND c.connamespace = 'public'::regnamespace
		UNION ALL SELECT i.indrelid::regclass || ': ' || pg_get_indexdef(i.indexrelid) FROM pg_index i
		JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.conindid = i.indexrelid)`
	if db.Dialect() == database.SQLite {
		query = `SELECT m.name || ': ' || group_concat(c.name) FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c
			WHERE m.type = 'table' AND i."unique" AND i.origin <> 'pk' AND m.name <> 'goose_db_version' GROUP BY m.name, i.name`
	}

	require.NoError(t, db.Select(t.Context(), "test.unique", &names, query))
	return names
}

// steps gives the migrations of a dialect one more at a time, as releases did.
func steps(t *testing.T, d database.Dialect) (upTo []fs.FS, names []string) {
	t.Helper()
	folder := filepath.Join("migrations",
		map[database.Dialect]string{database.Postgres: "postgres", database.SQLite: "sqlite"}[d])
	files, err := fs.Glob(os.DirFS(folder), "*.sql")
	require.NoError(t, err)
	for i := range files {
		upTo = append(upTo, only{os.DirFS(folder), files[:i+1]})
	}
	return upTo, files
}

// only shows some files of a folder.
type only struct {
	fs.FS
	names []string
}

func (o only) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(o.FS, name)
	var some []fs.DirEntry
	for _, entry := range all {
		if strings.Contains(strings.Join(o.names, " "), entry.Name()) {
			some = append(some, entry)
		}
	}
	return some, err
}

// While a release rolls out, replicas of the version before work on the schema of
// the new one. What they write must be accepted, and what they read be there.
func TestTheVersionBeforeGoesOnWorkingAfterEachMigration(t *testing.T) {
	onEachEmptyDatabase(t, func(t *testing.T, open func() *database.DB) {
		db := open()
		migrations, names := steps(t, db.Dialect())
		before, unique := map[string]column{}, []string(nil)
		for i, files := range migrations {
			_, _, err := database.MigrateFiles(t.Context(), db, files)
			require.NoError(t, err)
			after := columnsOfSchema(t, db)
			tablesBefore := map[string]bool{}
			for _, was := range before {
				tablesBefore[was.Table] = true
			}

			for name, was := range before {
				is, there := after[name]
				require.True(t, there, "%s: drops %s, which the version before reads", names[i], name)
				require.Equal(t, was.Type, is.Type, "%s: %s is of another type", names[i], name)
				require.False(t, was.Optional && !is.Optional, "%s: %s must be given now", names[i], name)
				require.False(t, !was.Nullable && is.Nullable,
					"%s: %s may be NULL now, which the version before cannot read", names[i], name)
			}

			for name, is := range after {
				if _, there := before[name]; !there && tablesBefore[is.Table] {
					require.True(t, is.Optional, "%s: adds %s, which the version before does not write", names[i], name)
				}
			}

			for _, key := range uniqueOfSchema(t, db) {
				table, _, _ := strings.Cut(key, ": ")
				if tablesBefore[table] {
					require.Contains(t, unique, key, "%s: what the version before writes may conflict now", names[i])
				}
			}

			before, unique = after, uniqueOfSchema(t, db)
		}
	})
}

// What the operator's and the services' statements were in the first version, with
// the fewest columns, is accepted by every later schema.
func TestWhatTheFirstVersionWroteIsWrittenStill(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for _, statement := range []string{
			`INSERT INTO tenants (id, slug, name, created_at, updated_at) VALUES ('t', 't', 'T', $1, $1)`,
			`INSERT INTO tenant_domains (domain, tenant_id, verified_at) VALUES ('d.test', 't', $1)`,
			`INSERT INTO users (id, email, created_at, updated_at) VALUES ('u', 'u@d.test', $1, $1)`,
			`INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ('u', 't', $1)`,
			`INSERT INTO credentials (user_id, password_hash, updated_at) VALUES ('u', 'h', $1)`,
			`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('c', 'C', 'WEB', 'GLOBAL', $1, $1)`,
			`INSERT INTO application_secrets (id, client_id, hash, created_at) VALUES ('s', 'c', '\x00', $1)`,
			`INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, created_at, expires_at) VALUES ('r', 'authorize', '\x00', 'c', 'https://a.test', 'query', 'openid', $1, $1)`,
			`INSERT INTO authorization_codes (code_hash, client_id, redirect_uri, scope, grant_id, offline, user_id, tenant_id, session_id, auth_time, acr, amr, created_at, expires_at) VALUES ('\x00', 'c', 'https://a.test', 'openid', 'g', false, 'u', 't', 's', $1, '1', '[]', $1, $1)`,
			`INSERT INTO sessions (id, cookie_hash, user_id, auth_time, acr, amr, created_at, last_seen_at, expires_at) VALUES ('s', '\x00', 'u', $1, '1', '[]', $1, $1, $1)`,
			`INSERT INTO consents (user_id, tenant_id, client_id, scope, updated_at) VALUES ('u', 't', 'c', 'openid', $1)`,
			`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at) VALUES ('g', 'c', 'u', 't', 's', 'openid', false, $1, $1)`,
			`INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, interval_seconds, created_at, expires_at) VALUES ('\x00', 'AAAA', 'c', 'openid', 5, $1, $1)`,
			`INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from) VALUES ('k', 'ES256', 1, 'r', '{}', $1, $1)`,
		} {
			n, err := db.Exec(t.Context(), "test.insert", statement, database.At(start))
			require.NoError(t, err, statement)
			require.EqualValues(t, 1, n)
		}
	})
}

func TestMigrationsGoForwardOnly(t *testing.T) {
	for _, d := range []database.Dialect{database.Postgres, database.SQLite} {
		migrations, names := steps(t, d)
		for _, name := range names {
			content, err := fs.ReadFile(migrations[len(migrations)-1], name)
			require.NoError(t, err)
			require.Contains(t, string(content), "-- +goose Up\n", name)
			require.NotContains(t, string(content), "+goose Down", name)
		}
	}

	_, ofPostgres := steps(t, database.Postgres)
	_, ofSQLite := steps(t, database.SQLite)
	require.Equal(t, ofPostgres, ofSQLite, "a version is the same in both")
}
