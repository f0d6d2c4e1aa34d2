package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	engine "modernc.org/sqlite"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// busyTimeout is how long a statement waits for a lock held by another process, in
// milliseconds. Within one process, writers queue for the one handle.
const busyTimeout = "5000"

// Open opens the database file at path. If the file or its folder doesn't exist, Open creates
// it, accessible only by its owner. A commit that was acknowledged, such as a revocation or a
// rotated token, survives a power failure (synchronous=FULL with a write-ahead log, one fsync
// per commit). o.URL is not used.
func Open(ctx context.Context, path string, o database.Options) (*database.DB, error) {
	path, err := prepare(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}

	// Times are written as integers; database.Time reads them.
	writer, err := open(path, url.Values{"_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}

	writer.SetMaxOpenConns(1)
	reader, err := open(path, url.Values{"_query_only": {"true"}})
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}

	readers := o.MaxOpen
	if readers <= 0 {
		readers = 8
	}

	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	db, err := database.New(database.Handles{
		Dialect: database.SQLite,
		Writer:  writer,
		Reader:  reader,
		Lock:    func(ctx context.Context) (func() error, error) { return lock(ctx, path+".migrate") },
	}, o)
	if err != nil {
		return nil, errors.Join(err, writer.Close(), reader.Close())
	}

	// The writer goes first, since it creates the write-ahead log that readers expect.
	if err := begin(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}

	return db, nil
}

const (
	// beginPatience bounds the wait for other processes that open a new file.
	beginPatience = 30 * time.Second
	beginPause    = 10 * time.Millisecond
)

// begin makes the first connections, of which the very first gives the file its write-ahead
// log. SQLite doesn't wait for another process that does so at the same time, whatever the busy
// timeout (https://sqlite.org/wal.html, section 6), so begin tries again.
func begin(ctx context.Context, db *database.DB) error {
	ctx, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()

	for {
		err := db.Ping(ctx)
		if !busy(err) {
			return err
		}

		select {
		case <-ctx.Done():
			return err
		case <-time.After(beginPause):
		}
	}
}

// busy reports whether another process has locked the file (SQLITE_BUSY and its extended codes).
func busy(err error) bool {
	coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	return ok && coded.Code()&0xff == 5
}

// prepare creates the folder and an empty file with the right permissions. SQLite gives its log
// and shared memory the permissions of the database file.
func prepare(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, touch(path)
}

func touch(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return file.Close()
}

func open(path string, options url.Values) (*sql.DB, error) {
	options.Set("_busy_timeout", busyTimeout)
	options.Set("_foreign_keys", "true")
	options.Set("_journal_mode", "WAL")
	options.Set("_synchronous", "FULL")
	options.Set("_time_integer_format", "unix_micro")
	options.Set("_dqs", "false")
	return openFile(path, options)
}

func openFile(path string, options url.Values) (*sql.DB, error) {
	// The path is passed as a URI, since it may contain '?', '%' and '#'.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	connector, err := engine.NewConnector(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// lock holds an exclusive transaction on an empty database beside the real one. The operating
// system releases it when the process dies, and it excludes other goroutines as well as other
// processes. Nothing is ever written to that database.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	if err := touch(path); err != nil {
		return nil, err
	}

	// The timeout is the caller's: the driver stops waiting when ctx ends.
	db, err := openFile(path, url.Values{"_busy_timeout": {"3600000"}, "_txlock": {"exclusive"}})
	if err != nil {
		return nil, err
	}

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}

	return func() error {
		_ = tx.Rollback() // it has already ended if ctx has
		return db.Close()
	}, nil
}
