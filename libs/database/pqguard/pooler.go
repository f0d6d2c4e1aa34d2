package pqguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// marker is a setting of the session with a different value for each connection. If the server
// has it, the connection leads to a session of its own; a transaction pooler refuses or drops it.
const marker = "pqguard.connection"

// ErrUnkept is returned if statements must be prepared and a pooler would lose them.
var ErrUnkept = errors.New("a transaction pooler without support for prepared statements is in front of the server (PgBouncer: before 1.21, or max_prepared_statements = 0)")

// decide enables prepared statements on a new connection if the server keeps them.
func (c *Connector) decide(ctx context.Context, conn *guarded, mark string) error {
	if c.prepare == PrepareNever || c.unprepared.Load() {
		return nil
	}

	conn.begin(ctx)
	direct, err := hasMark(ctx, conn.driverConn, mark)
	if err != nil {
		return err
	}

	kept := direct
	if !direct {
		if kept, err = keepsStatements(ctx, conn.driverConn); err != nil {
			return err
		}
	}

	if kept {
		conn.direct, conn.statements = direct, newStatements()
		return nil
	}

	if c.prepare == PrepareAlways {
		return ErrUnkept
	}

	c.stopPreparing(ErrUnkept)
	return nil
}

// stopPreparing ends the use of prepared statements, for good.
func (c *Connector) stopPreparing(why error) {
	if !c.unprepared.Swap(true) && c.logger != nil {
		c.logger.Warn("statements are not prepared, since a pooler loses them, and cost PostgreSQL more CPU: let the pooler keep them, or set PLATFORM_DATABASE_PREPARE=never",
			"error", why)
	}
}

// hasMark reports whether the server's session is that of this connection.
func hasMark(ctx context.Context, conn driverConn, mark string) (bool, error) {
	if mark == "" {
		return false, nil
	}

	rows, err := conn.QueryContext(ctx, `SELECT coalesce(current_setting('`+marker+`', true), '')`, nil)
	if err != nil {
		return false, err
	}

	value, err := one(rows)
	return text(value) == mark, err
}

// keepsStatements reports whether a pooler keeps prepared statements. One that does gives them
// names of its own, because its clients choose the same ones. The driver numbers them, so without
// such a pooler two clients' statements are confused, and the wrong one is executed. Therefore
// this looks before anything is prepared, in a transaction, which has one server throughout.
func keepsStatements(ctx context.Context, conn driverConn) (kept bool, err error) {
	const named = `SELECT count(*) FROM pg_catalog.pg_prepared_statements WHERE statement = $1 AND name !~ '^[0-9]+$'`

	tx, err := conn.BeginTx(ctx, driver.TxOptions{})
	if err != nil {
		return false, err
	}

	defer func() { err = errors.Join(err, tx.Rollback()) }()

	stmt, err := conn.(driver.ConnPrepareContext).PrepareContext(ctx, named)
	if unkept(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}

	rows, err := stmt.(driverStmt).QueryContext(ctx, []driver.NamedValue{{Ordinal: 1, Value: named}})
	if unkept(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}

	value, err := one(rows)
	count, _ := value.(int64)
	return count > 0, errors.Join(err, stmt.Close())
}

// one returns the only value of rows.
func one(rows driver.Rows) (driver.Value, error) {
	var row [1]driver.Value
	err := rows.Next(row[:])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return row[0], errors.Join(err, rows.Close())
}

func text(v driver.Value) string {
	if raw, ok := v.([]byte); ok {
		return string(raw)
	}
	s, _ := v.(string)
	return s
}
