package pqguard

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"

	"github.com/lib/pq"
)

// Prepare says whether statements are prepared.
type Prepare string

// Values of [Prepare].
const (
	PrepareAuto   Prepare = "auto"   // unless a pooler would lose or confuse them; also the zero value
	PrepareAlways Prepare = "always" // and such a pooler is refused
	PrepareNever  Prepare = "never"
)

const (
	// mostPrepared bounds the statements of a connection, since the server keeps a plan for each.
	mostPrepared = 256
	// longestPrepared bounds their text, in bytes.
	longestPrepared = 16 << 10
)

// driverStmt is the interface of the driver's prepared statements.
type driverStmt interface {
	driver.Stmt
	driver.StmtQueryContext
	driver.StmtExecContext
}

// statements are those that a connection has prepared, by their text.
type statements struct {
	byQuery map[string]*list.Element
	recent  list.List // of prepared, the one used last in front
}

type prepared struct {
	query string
	stmt  driverStmt
}

func newStatements() *statements { return &statements{byQuery: map[string]*list.Element{}} }

func (s *statements) find(query string) (driverStmt, bool) {
	at, ok := s.byQuery[query]
	if !ok {
		return nil, false
	}
	s.recent.MoveToFront(at)
	return at.Value.(prepared).stmt, true
}

// add adds a statement. It returns the one that must be closed to make room, or nil.
func (s *statements) add(query string, stmt driverStmt) (evicted driverStmt) {
	s.byQuery[query] = s.recent.PushFront(prepared{query, stmt})
	if s.recent.Len() <= mostPrepared {
		return nil
	}

	last := s.recent.Remove(s.recent.Back()).(prepared)
	delete(s.byQuery, last.query)
	return last.stmt
}

// forget removes a statement without closing it, because rows may be on their way. The server
// forgets it with the connection.
func (s *statements) forget(query string) {
	if at, ok := s.byQuery[query]; ok {
		s.recent.Remove(at)
		delete(s.byQuery, query)
	}
}

// prepares reports whether a statement runs prepared. Without parameters it may be anything,
// such as a script, COPY or LISTEN. In a transaction it is not prepared either: a plan that a
// migration made stale would abort the transaction, which can't be repeated here.
func (c *guarded) prepares(query string, args []driver.NamedValue) bool {
	return c.statements != nil && !c.inTx && len(args) > 0 && len(query) <= longestPrepared &&
		!c.connector.unprepared.Load()
}

// prepared returns a statement of this connection, which it prepares if necessary.
func (c *guarded) prepared(ctx context.Context, query string) (driverStmt, error) {
	if stmt, ok := c.statements.find(query); ok {
		return stmt, nil
	}

	made, err := c.driverConn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}

	stmt := made.(driverStmt)
	if evicted := c.statements.add(query, stmt); evicted != nil {
		if err := evicted.Close(); err != nil {
			return nil, err
		}
	}

	return stmt, nil
}

// run executes a statement prepared if it can be, and otherwise as it is. A preparation that
// the server doesn't accept any more costs the caller nothing: outside a transaction a statement
// that failed has changed nothing, so it runs again as it is.
func run[R any](
	ctx context.Context, c *guarded, query string, args []driver.NamedValue,
	execute func(driverStmt) (R, error), plain func() (R, error),
) (R, error) {
	c.begin(ctx)
	if !c.prepares(query, args) {
		result, err := plain()
		return result, c.known(err)
	}

	stmt, err := c.prepared(ctx, query)
	if err != nil && !unkept(err) {
		var none R
		return none, err // not ErrLost, since nothing was executed
	}

	if err == nil {
		c.wire.sent, c.executing = false, ctx
		result, failed := execute(stmt)
		if !unkept(failed) && !outdated(failed) {
			return result, c.known(failed)
		}
		err = failed
	}

	if unkept(err) {
		c.distrust(err)
	}

	c.begin(ctx)
	result, again := plain()
	if again == nil {
		c.statements.forget(query)
	}

	return result, c.known(again)
}

// distrust handles the loss of a prepared statement. On a server of one's own it means DISCARD
// or DEALLOCATE, and each statement is prepared anew. Behind a pooler it means that the pooler
// doesn't keep them.
func (c *guarded) distrust(err error) {
	c.statements = newStatements()
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "26000" && c.direct {
		return
	}
	c.connector.stopPreparing(err)
}

// unkept reports whether the server doesn't know a statement that was prepared, or has another
// one of its name: invalid_sql_statement_name, duplicate_prepared_statement, and
// protocol_violation, which is what some poolers return.
func unkept(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "26000" || e.Code == "42P05" || e.Code == "08P01")
}

// outdated reports whether a statement may have failed because it was prepared before a
// migration. Its results have other types now (feature_not_supported: "cached plan must not
// change result type"), or its parameters still have the old ones (undefined_function,
// datatype_mismatch, numeric_value_out_of_range, and invalid text or binary representation).
func outdated(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return false
	}

	switch e.Code {
	case "0A000", "42883", "42804", "22003", "22P02", "22P03":
		return true
	default:
		return false
	}
}
