package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// cancelGrace is how long a statement may continue after its deadline. By then a healthy server
// has answered that it was canceled, and the connection remains usable.
const cancelGrace = 250 * time.Millisecond

var (
	// errLost is returned if a connection was lost after a statement had been sent. The driver
	// would return driver.ErrBadConn, and database/sql would send the statement again although
	// it may have been executed; an authorization code would then look replayed.
	errLost = errors.New("the connection was lost while a statement ran; whether it took effect is unknown")
	// errNoPrimary is returned if none of the listed hosts satisfies target_session_attrs.
	// During a failover this is temporary.
	errNoPrimary = errors.New("none of the hosts is what target_session_attrs asks for")
	errPrepared  = errors.New("database: statements are not prepared, for a transaction pooler would lose them")
)

// pgConnector makes driver connections that never block for ever. Each statement ends shortly
// after its context's deadline, and after patience in any case, even if the server doesn't
// respond at all. The driver by itself would ask the server to cancel and wait for the answer.
type pgConnector struct {
	current  atomic.Pointer[pq.Connector] // with the server's timeouts, until a pooler refuses them
	plain    *pq.Connector
	patience time.Duration // 0: as long as the context allows
}

var _ driver.Connector = (*pgConnector)(nil)

// newPGConnector returns a connector for a DSN, given both without and with settings for the
// server.
func newPGConnector(dsn, dsnWithSettings string, patience time.Duration) (*pgConnector, error) {
	plain, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}

	full, err := pq.NewConnector(dsnWithSettings)
	if err != nil {
		return nil, err
	}

	plain.Dialer(wireDialer{})
	full.Dialer(wireDialer{})
	c := &pgConnector{plain: plain, patience: patience}
	c.current.Store(full)

	return c, nil
}

// Connect implements [driver.Connector].
func (c *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	using := c.current.Load()
	conn, err := c.open(ctx, using)
	if using != c.plain && refusesSettings(err) {
		c.current.Store(c.plain)
		conn, err = c.open(ctx, c.plain)
	}
	return conn, err
}

// Driver implements [driver.Connector].
func (c *pgConnector) Driver() driver.Driver { return c.plain.Driver() }

// pooled reports whether the server turned out to be a pooler that refuses settings.
func (c *pgConnector) pooled() bool { return c.current.Load() == c.plain }

// refusesSettings recognizes PgBouncer's message, for which there is no code.
func refusesSettings(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unsupported startup parameter")
}

// refusesSession recognizes a host that responds but doesn't satisfy target_session_attrs. The
// driver has no type for this.
func refusesSession(err error) bool {
	if err == nil {
		return false
	}

	text := err.Error()
	for _, refusal := range []string{
		"session is read-only", "session is not read-only", "server is in hot standby mode",
		"server is not in hot standby mode",
	} {
		if strings.Contains(text, refusal) {
			return true
		}
	}

	return false
}

func (c *pgConnector) open(ctx context.Context, connector *pq.Connector) (driver.Conn, error) {
	a := &attempt{ctx: ctx}
	conn, err := connector.Connect(context.WithValue(ctx, attemptKey{}, a))
	if refusesSession(err) {
		err = errors.Join(errNoPrimary, err)
	}

	if a.stop != nil && !a.stop() && err == nil {
		// ctx ended at the last moment and closed the wire.
		return nil, errors.Join(ctx.Err(), conn.Close())
	}

	if err != nil {
		return nil, err
	}

	return &pgConn{pqConn: conn.(pqConn), wire: a.wire, patience: c.patience}, nil
}

// attempt is one attempt to connect. The driver observes its context only until the network
// connection is established; after that the server may still not respond.
type attempt struct {
	ctx  context.Context //nolint:containedctx // of the one call
	wire *wire
	stop func() bool
}

type attemptKey struct{}

// wireDialer makes network connections that are noticed as dead within half a minute while they
// are idle.
type wireDialer struct{}

var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     15 * time.Second,
	Interval: 5 * time.Second,
	Count:    3,
}

// DialContext implements [pq.DialerContext].
func (wireDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}

	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok { // a cancel request
		return conn, nil
	}

	if a.stop != nil { // the wire to the previous host, which was not used
		a.stop()
	}

	w := &wire{Conn: conn}
	a.wire, a.stop = w, context.AfterFunc(a.ctx, func() { _ = conn.Close() })
	return w, nil
}

// Dial implements [pq.Dialer]. The driver does not use it.
func (d wireDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout implements [pq.Dialer]. The driver does not use it.
func (d wireDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// wire is a network connection that records whether anything was sent.
type wire struct {
	net.Conn
	sent bool
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.sent = w.sent || n > 0
	return n, err
}

// pqConn is the interface of the driver's connections.
type pqConn interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// pgConn is one connection. database/sql uses it from one goroutine at a time.
type pgConn struct {
	pqConn
	wire     *wire
	patience time.Duration
	demoted  bool // the server has become a standby: after a failover another one is the primary
}

// begin sets the wire's deadline for the next operation.
func (c *pgConn) begin(ctx context.Context) {
	c.wire.sent = false
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
func (c *pgConn) known(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "25006" { // read_only_sql_transaction
		c.demoted = true
	}
	if c.wire.sent && errors.Is(err, driver.ErrBadConn) {
		return errLost
	}
	return err
}

func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.begin(ctx)
	rows, err := c.pqConn.QueryContext(ctx, query, args)
	return rows, c.known(err)
}

func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.begin(ctx)
	result, err := c.pqConn.ExecContext(ctx, query, args)
	return result, c.known(err)
}

// Ping and BeginTx may be repeated, since they change nothing.
func (c *pgConn) Ping(ctx context.Context) error {
	c.begin(ctx)
	return c.pqConn.Ping(ctx)
}

func (c *pgConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.begin(ctx)
	tx, err := c.pqConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return pgTx{tx, c, ctx}, nil
}

func (c *pgConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errPrepared
}

// ResetSession is called before a connection is reused. A connection that the server has closed
// meanwhile, as all are after a restart, is replaced before anything is sent on it.
func (c *pgConn) ResetSession(ctx context.Context) error {
	if !quiet(c.wire.Conn) {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}

// IsValid is called before a connection goes back to the pool.
func (c *pgConn) IsValid() bool { return !c.demoted && c.pqConn.IsValid() }

func (c *pgConn) Close() error {
	_ = c.wire.SetDeadline(time.Now().Add(time.Second))
	return c.pqConn.Close()
}

// pgTx also ends with its context's deadline.
type pgTx struct {
	driver.Tx
	conn *pgConn
	ctx  context.Context //nolint:containedctx // that of the transaction
}

func (t pgTx) Commit() error {
	t.conn.begin(t.ctx)
	return t.Tx.Commit()
}

func (t pgTx) Rollback() error {
	t.conn.begin(t.ctx)
	return t.Tx.Rollback()
}
