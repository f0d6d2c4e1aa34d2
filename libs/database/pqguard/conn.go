package pqguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/lib/pq"
)

// cancelGrace is how long a statement may continue after its deadline. By then a healthy server
// has answered that it was canceled, and the connection remains usable.
const cancelGrace = 250 * time.Millisecond

// driverConn is the interface of the driver's connections.
type driverConn interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// guarded is one connection. database/sql uses it from one goroutine at a time.
type guarded struct {
	driverConn
	wire     *wire
	patience time.Duration
	demoted  bool // the server has become a standby: after a failover another one is the primary

	connector  *Connector
	direct     bool            // the server's session belongs to this connection
	statements *statements     // nil: none are prepared
	inTx       bool            // a transaction has begun
	executing  context.Context //nolint:containedctx // that of the last statement, if it was prepared
}

// begin sets the wire's deadline for the next operation.
func (c *guarded) begin(ctx context.Context) {
	c.wire.sent, c.executing = false, nil
	limit, limited := ctx.Deadline()
	if c.patience > 0 {
		if most := time.Now().Add(c.patience); !limited || most.Before(limit) {
			limit, limited = most, true
		}
	}

	if limited {
		limit = limit.Add(cancelGrace)
	}

	_ = c.wire.SetDeadline(limit) // zero means none
}

// known keeps database/sql from repeating a statement that was sent.
func (c *guarded) known(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "25006" { // read_only_sql_transaction
		c.demoted = true
	}
	if c.wire.sent && errors.Is(err, driver.ErrBadConn) {
		return ErrLost
	}
	return err
}

func (c *guarded) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return run(ctx, c, query, args,
		func(s driverStmt) (driver.Rows, error) { return s.QueryContext(ctx, args) },
		func() (driver.Rows, error) { return c.driverConn.QueryContext(ctx, query, args) })
}

func (c *guarded) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return run(ctx, c, query, args,
		func(s driverStmt) (driver.Result, error) { return s.ExecContext(ctx, args) },
		func() (driver.Result, error) { return c.driverConn.ExecContext(ctx, query, args) })
}

// Ping and BeginTx may be repeated, since they change nothing.
func (c *guarded) Ping(ctx context.Context) error {
	c.begin(ctx)
	return c.driverConn.Ping(ctx)
}

func (c *guarded) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.begin(ctx)
	tx, err := c.driverConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}

	c.inTx = true
	return guardedTx{tx, c, ctx}, nil
}

// PrepareContext refuses: the statements of [guarded.QueryContext] and [guarded.ExecContext] are
// prepared, and those that a caller keeps would not survive a migration.
func (c *guarded) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errPrepared
}

// ResetSession is called before a connection is reused. A connection that the server has closed
// meanwhile, as all are after a restart, is replaced before anything is sent on it.
func (c *guarded) ResetSession(ctx context.Context) error {
	if !quiet(c.wire.Conn) {
		return driver.ErrBadConn
	}
	c.executing = nil
	return c.driverConn.ResetSession(ctx)
}

// IsValid is called before a connection goes back to the pool. If the context of a prepared
// statement has ended, the server may still be about to cancel it and would hit the next one.
func (c *guarded) IsValid() bool {
	canceled := c.executing != nil && c.executing.Err() != nil
	return !c.demoted && !canceled && c.driverConn.IsValid()
}

func (c *guarded) Close() error {
	_ = c.wire.SetDeadline(time.Now().Add(time.Second))
	return c.driverConn.Close()
}

// guardedTx also ends with its context's deadline.
type guardedTx struct {
	driver.Tx
	conn *guarded
	ctx  context.Context //nolint:containedctx // that of the transaction
}

func (t guardedTx) Commit() error {
	t.conn.begin(t.ctx)
	t.conn.inTx = false
	return t.Tx.Commit()
}

func (t guardedTx) Rollback() error {
	t.conn.begin(t.ctx)
	t.conn.inTx = false
	return t.Tx.Rollback()
}
