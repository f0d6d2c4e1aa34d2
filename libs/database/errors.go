package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/lib/pq"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
)

// Kind classifies an error from a database for the caller.
type Kind int

// Kinds.
const (
	KindNone        Kind = iota // no error
	KindNotFound                // no row
	KindConflict                // a unique key is already taken
	KindCanceled                // the caller went away, or the process is shutting down
	KindTimeout                 // out of time: the caller's deadline, statement_timeout, a lock
	KindUnavailable             // the database is down, full or read-only, or asks for a retry
	KindRefused                 // a trigger of the schema refused the row
	KindOther                   // a mistake in the statement, the rights or the data
)

func (k Kind) String() string {
	return [...]string{"none", "not_found", "conflict", "canceled", "timeout", "unavailable", "refused", "other"}[k]
}

// Error is the error type of every method of this package.
type Error struct {
	Name string // the statement's name
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns the driver's error.
func (e *Error) Unwrap() error { return e.Err }

// Unavailable reports whether the same call may succeed later, because the statement did not
// complete for a reason that isn't the caller's.
func (e *Error) Unavailable() bool {
	return e.Kind == KindUnavailable || e.Kind == KindTimeout || e.Kind == KindCanceled
}

// wrap returns an *Error for a driver's error. ctx is the context of the call.
func wrap(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}

	kind := Classify(ctx, err)
	// PostgreSQL reports "canceling statement due to user request" for both. Keep
	// errors.Is(err, context.DeadlineExceeded) true.
	if cause := ctx.Err(); cause != nil && (kind == KindTimeout || kind == KindCanceled) && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}

	return &Error{Name: name, Kind: kind, Err: err}
}

// Classify returns the kind of err. It checks ctx before the driver's error, because a deadline
// comes back from PostgreSQL as a canceled statement (57014). Only facts about rows (none,
// taken or refused) hold whatever happened to ctx.
func Classify(ctx context.Context, err error) Kind {
	if err == nil {
		return KindNone
	}

	var known *Error
	if errors.As(err, &known) {
		return known.Kind
	}

	kind := classifyDriver(err)
	if kind == KindNotFound || kind == KindConflict || kind == KindRefused {
		return kind
	}

	if ctxKind := classifyContext(ctx.Err()); ctxKind != KindNone {
		return ctxKind
	}

	if ctxKind := classifyContext(err); ctxKind != KindNone {
		return ctxKind
	}

	return kind
}

func classifyContext(err error) Kind {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return KindTimeout
	case errors.Is(err, context.Canceled):
		return KindCanceled
	default:
		return KindNone
	}
}

func classifyDriver(err error) Kind {
	if errors.Is(err, sql.ErrNoRows) {
		return KindNotFound
	}

	if e, ok := errors.AsType[*pq.Error](err); ok {
		return classifyPostgres(string(e.Code))
	}

	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return classifySQLite(e.Code())
	}

	if connectionFault(err) {
		return KindUnavailable
	}

	return KindOther
}

// classifyPostgres classifies SQLSTATE codes (PostgreSQL manual, appendix A).
func classifyPostgres(code string) Kind {
	switch code {
	case "23505", "23P01": // unique_violation, exclusion_violation
		return KindConflict
	case "P0001": // raise_exception
		return KindRefused
	case "57014", "55P03", "25P03", "25P04":
		// query_canceled, lock_not_available, idle_in_transaction and transaction timeouts
		return KindTimeout
	case "40001", "40P01", "25006": // serialization_failure, deadlock_detected, read_only_sql_transaction
		return KindUnavailable
	}

	if len(code) != len("00000") {
		return KindOther
	}

	switch code[:2] {
	case "08", "53", "57", "58": // connection, resources, operator intervention, system error
		return KindUnavailable
	default:
		return KindOther
	}
}

// classifySQLite classifies result codes (https://www.sqlite.org/rescode.html) by number, so
// that this package needn't link the engine.
func classifySQLite(code int) Kind {
	switch code {
	case 1555, 2067, 2579: // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID
		return KindConflict
	case 1811: // SQLITE_CONSTRAINT_TRIGGER
		return KindRefused
	}

	switch code & 0xff {
	case 9: // SQLITE_INTERRUPT
		return KindCanceled
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED: the busy timeout has passed
		return KindTimeout
	case 8, 10, 13, 14: // SQLITE_READONLY, _IOERR, _FULL, _CANTOPEN
		return KindUnavailable
	default:
		return KindOther
	}
}

func connectionFault(err error) bool {
	for _, fault := range []error{
		pqguard.ErrLost, pqguard.ErrNoPrimary, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT,
	} {
		if errors.Is(err, fault) {
			return true
		}
	}

	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}

	// database/sql does not export this error. It means that the process is shutting down.
	return strings.HasSuffix(err.Error(), "sql: database is closed")
}
