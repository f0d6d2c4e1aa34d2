package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
)

// Dialect is the kind of database behind a [DB]. Statements differ between the two only in a
// few places: writable CTEs and SKIP LOCKED.
type Dialect string

// Dialects. The values are those of the OpenTelemetry attribute db.system.name.
const (
	Postgres Dialect = "postgresql"
	SQLite   Dialect = "sqlite"
)

// Pool defaults. A service keeps its connections, because opening one costs more than a
// statement; PostgreSQL limits how many there are.
const (
	defaultMaxOpen      = 16
	defaultConnLifetime = 30 * time.Minute
)

// Options are the settings of a database. Zero values are good.
type Options struct {
	URL             string        // postgres://…; not used by sqlite.Open
	MaxOpen         int           // maximum number of connections; 16 when 0. SQLite: readers besides the one writer
	MaxIdle         int           // idle connections kept; MaxOpen when 0
	ConnMaxLifetime time.Duration // 30 minutes when 0, so that a failover is noticed; SQLite: no limit
	// Lazy makes Open not wait for the server; the first call connects. Not used by
	// sqlite.Open.
	Lazy bool

	// StatementTimeout bounds every statement, in this process and on the server; 0: only the
	// context does. LockTimeout bounds its wait for a lock, on the server; 0: no bound. If a
	// pooler refuses these settings, the server's timeouts are those of the login role.
	StatementTimeout time.Duration
	LockTimeout      time.Duration

	// Prepare says whether PostgreSQL keeps the plans of statements: unless a pooler would lose
	// them, always or never.
	Prepare pqguard.Prepare

	Logger         *slog.Logger // logs slow statements, by name; nil: no logging
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
}

// Handles are the open handles of one database that a driver package passes to [New]. Reader
// may be the same as Writer.
type Handles struct {
	Dialect Dialect
	Writer  *sql.DB
	Reader  *sql.DB
	// Lock excludes other migrations, including those of other processes, until unlock is
	// called or the process dies. Nil means that the dialect has its own way.
	Lock func(ctx context.Context) (unlock func() error, err error)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	queries
	dialect Dialect
	writer  *sqlx.DB
	reader  *sqlx.DB
	lock    func(ctx context.Context) (func() error, error)
}

var (
	_ Runner = (*DB)(nil)
	_ Runner = (*Tx)(nil)
)

// Open connects to PostgreSQL. The connection uses UTC. A statement with parameters outside a
// transaction is prepared once a connection; every other one takes one round trip without, and
// all do through a transaction pooler that doesn't keep prepared statements. The error never contains the URL, and its Unavailable reports true if the server
// can't be reached.
func Open(ctx context.Context, o Options) (*DB, error) {
	dsn, err := pqguard.DSN(o.URL)
	if err != nil {
		return nil, err
	}

	connector, err := pqguard.New(dsn, o.withSettings(dsn), pqguard.Options{
		Patience: o.StatementTimeout,
		Prepare:  o.Prepare,
		Logger:   o.Logger,
	})
	if err != nil {
		return nil, errors.New("database: the URL has an option that is unknown or malformed")
	}

	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(o.maxOpen())
	pool.SetMaxIdleConns(o.maxIdle())
	pool.SetConnMaxLifetime(o.connLifetime())
	db, err := New(Handles{Dialect: Postgres, Writer: pool, Reader: pool}, o)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}

	if o.Lazy {
		return db, nil
	}

	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}

	if connector.Pooled() && (o.StatementTimeout > 0 || o.LockTimeout > 0) {
		db.warnOfNoTimeout(ctx, o)
	}

	return db, nil
}

// warnOfNoTimeout logs what to do if a pooler refuses the server's timeouts and the login role
// has none: a statement of a process that died could then hold its locks indefinitely.
func (db *DB) warnOfNoTimeout(ctx context.Context, o Options) {
	var login string
	err := db.Get(ctx, "database.timeouts", &login,
		`SELECT current_user WHERE current_setting('statement_timeout') = '0'`)
	if err == nil && o.Logger != nil {
		o.Logger.WarnContext(ctx,
			"the pooler doesn't pass on timeouts and the login role has none: run ALTER ROLE … SET statement_timeout, lock_timeout and idle_in_transaction_session_timeout",
			"role", login, "statement_timeout", o.StatementTimeout, "lock_timeout", o.LockTimeout)
	}
}

// New returns a DB for open handles. Only driver packages call it.
func New(h Handles, o Options) (*DB, error) {
	obs, err := newObserver(h, o)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}

	writer := sqlx.NewDb(h.Writer, driverName(h.Dialect))
	reader := writer
	if h.Reader != h.Writer {
		reader = sqlx.NewDb(h.Reader, driverName(h.Dialect))
	}

	return &DB{
		queries: queries{
			read:  reader,
			write: writer,
			obs:   obs,
			again: repeated,
		},
		dialect: h.Dialect,
		writer:  writer,
		reader:  reader,
		lock:    h.Lock,
	}, nil
}

// Dialect returns the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// Ping checks that the database responds.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.writer.PingContext(ctx); err != nil {
		return wrap(ctx, "database.ping", err)
	}
	return nil
}

// Close closes all connections. It waits for running statements.
func (db *DB) Close() error {
	err := db.obs.close()
	if db.reader != db.writer {
		err = errors.Join(err, db.reader.Close())
	}
	return errors.Join(err, db.writer.Close())
}

// withSettings adds the server's timeouts to a DSN, in milliseconds. A transaction that waits
// for its client holds its locks, so it gets the same bound.
func (o Options) withSettings(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil { // it comes from DSN
		return dsn
	}

	query := u.Query()
	for name, limit := range map[string]time.Duration{
		"statement_timeout": o.StatementTimeout, "idle_in_transaction_session_timeout": o.StatementTimeout,
		"lock_timeout": o.LockTimeout,
	} {
		if limit > 0 && !query.Has(name) {
			query.Set(name, strconv.FormatInt(limit.Milliseconds(), 10))
		}
	}

	u.RawQuery = query.Encode()
	return u.String()
}

func driverName(d Dialect) string {
	if d == Postgres {
		return "postgres"
	}
	return "sqlite"
}

func (o Options) maxOpen() int {
	if o.MaxOpen > 0 {
		return o.MaxOpen
	}
	return defaultMaxOpen
}

func (o Options) maxIdle() int {
	if o.MaxIdle > 0 {
		return o.MaxIdle
	}
	return o.maxOpen()
}

func (o Options) connLifetime() time.Duration {
	if o.ConnMaxLifetime > 0 {
		return o.ConnMaxLifetime
	}
	return defaultConnLifetime
}
