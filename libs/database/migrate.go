package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrationLock is the key of the advisory lock that migrations take. Any constant will do if
// it has no other use.
const migrationLock int64 = 0x706c6174666f726d // "platform"

// SchemaError reports that the database is older than this build needs.
type SchemaError struct {
	Have int64 // the database's version; 0: never migrated
	Need int64 // the newest version this build knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("database: the schema is at version %d, this build needs version %d: run `platform migrate`",
		e.Have, e.Need)
}

// advisoryPoll is how often a waiting migration tries again.
const advisoryPoll = 50 * time.Millisecond

// Migrate brings the schema to this build's version and returns the versions before and after.
// It leaves a newer schema alone, because neighbouring versions work together. It may be called
// concurrently, in one process or in several: one call does the work, and the others wait for
// it. PostgreSQL must be reached directly, not through a transaction pooler, because the lock
// belongs to the session.
func Migrate(ctx context.Context, db *DB, logger *slog.Logger) (from, to int64, err error) {
	files, err := migrationFiles(db.dialect)
	if err != nil {
		return 0, 0, err
	}
	return migrate(ctx, db, files, logger)
}

func migrate(ctx context.Context, db *DB, files fs.FS, logger *slog.Logger) (from, to int64, err error) {
	provider, err := newProvider(db, files, logger)
	if err != nil {
		return 0, 0, fmt.Errorf("database: migrations: %w", err)
	}

	if db.lock != nil {
		unlock, lockErr := db.lock(ctx)
		if lockErr != nil {
			return 0, 0, wrap(ctx, "database.migrate", lockErr)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}

	results, err := provider.Up(ctx)
	if err != nil {
		return 0, 0, wrap(ctx, "database.migrate", err)
	}

	if to, err = db.schemaVersion(ctx); err != nil {
		return 0, 0, err
	}

	from = to
	if len(results) > 0 {
		from = versionBefore(provider.ListSources(), results[0].Source.Version)
	}

	return from, to, nil
}

// CheckSchema returns nil if the schema is at least at this build's version, and otherwise a
// *SchemaError with both versions.
func (db *DB) CheckSchema(ctx context.Context) error {
	need, err := newestMigration(db.dialect)
	if err != nil {
		return err
	}

	have, err := db.schemaVersion(ctx)
	if err != nil {
		return err
	}

	if have < need {
		return &SchemaError{Have: have, Need: need}
	}

	return nil
}

// schemaVersion reads goose's table. Without that table the version is 0.
func (db *DB) schemaVersion(ctx context.Context) (int64, error) {
	exists := `SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('goose_db_version')`
	if db.dialect == SQLite {
		exists = `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	}

	var tables int
	if err := db.Get(ctx, "database.version_table", &tables, exists); err != nil || tables == 0 {
		return 0, err
	}

	var version int64
	err := db.Get(ctx, "database.version", &version,
		`SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`)
	return version, err
}

func newProvider(db *DB, files fs.FS, logger *slog.Logger) (*goose.Provider, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}

	options := []goose.ProviderOption{goose.WithSlog(logger), goose.WithDisableGlobalRegistry(true)}
	dialect := goose.DialectSQLite3
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		options = append(options, goose.WithSessionLocker(advisoryLock{}))
	}

	return goose.NewProvider(dialect, db.writer.DB, files, options...)
}

func migrationFiles(d Dialect) (fs.FS, error) {
	if d == Postgres {
		return fs.Sub(migrations, "migrations/postgres")
	}
	return fs.Sub(migrations, "migrations/sqlite")
}

// LatestSchema returns the newest schema version this build knows. It is the same for both
// dialects.
func LatestSchema() (int64, error) { return newestMigration(Postgres) }

// newestMigration returns the version this build was written for.
func newestMigration(d Dialect) (int64, error) {
	files, err := migrationFiles(d)
	if err != nil {
		return 0, err
	}

	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, err
	}

	newest := int64(0)
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("database: migration %s: %w", name, err)
		}
		newest = max(newest, version)
	}

	return newest, nil
}

func versionBefore(sources []*goose.Source, version int64) int64 {
	before := int64(0)
	for _, source := range sources {
		if source.Version < version {
			before = max(before, source.Version)
		}
	}
	return before
}

// advisoryLock is goose's lock on PostgreSQL. The server releases it when the session ends, so
// a migration that was killed blocks no others.
type advisoryLock struct{}

// SessionLock polls rather than waiting in the server: a waiting statement holds a snapshot,
// and CREATE INDEX CONCURRENTLY waits for snapshots.
func (advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	for {
		var got bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, migrationLock).Scan(&got); err != nil ||
			got {
			return err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(advisoryPoll):
		}
	}
}

// SessionUnlock releases the lock.
func (advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, migrationLock)
	return err
}
