package pqguard

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

var (
	// ErrLost is returned if a connection was lost after a statement had been sent.
	ErrLost = errors.New("the connection was lost while a statement ran; whether it took effect is unknown")
	// ErrNoPrimary is returned if none of the listed hosts satisfies target_session_attrs.
	// During a failover this is temporary.
	ErrNoPrimary = errors.New("none of the hosts is what target_session_attrs asks for")
	errPrepared  = errors.New("database: statements are not prepared, for a transaction pooler would lose them")
)

// Connector makes guarded connections.
type Connector struct {
	current  atomic.Pointer[pq.Connector] // with the server's timeouts, until a pooler refuses them
	plain    *pq.Connector
	patience time.Duration // 0: as long as the context allows
}

var _ driver.Connector = (*Connector)(nil)

// New returns a connector for a DSN in the driver's form, given both without and with settings
// for the server. patience bounds each statement; 0: only its context does.
func New(dsn, dsnWithSettings string, patience time.Duration) (*Connector, error) {
	plain, err := pq.NewConnector(dsn)
	if err != nil {
		return nil, err
	}

	full, err := pq.NewConnector(dsnWithSettings)
	if err != nil {
		return nil, err
	}

	plain.Dialer(dialer{})
	full.Dialer(dialer{})
	c := &Connector{plain: plain, patience: patience}
	c.current.Store(full)

	return c, nil
}

// Connect implements [driver.Connector].
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	using := c.current.Load()
	conn, err := c.open(ctx, using)
	if using != c.plain && refusesSettings(err) {
		c.current.Store(c.plain)
		conn, err = c.open(ctx, c.plain)
	}
	return conn, err
}

// Driver implements [driver.Connector].
func (c *Connector) Driver() driver.Driver { return c.plain.Driver() }

// Pooled reports whether the server turned out to be a pooler that refuses settings.
func (c *Connector) Pooled() bool { return c.current.Load() == c.plain }

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

func (c *Connector) open(ctx context.Context, connector *pq.Connector) (driver.Conn, error) {
	a := &attempt{ctx: ctx}
	conn, err := connector.Connect(context.WithValue(ctx, attemptKey{}, a))
	if refusesSession(err) {
		err = errors.Join(ErrNoPrimary, err)
	}

	if a.stop != nil && !a.stop() && err == nil {
		// ctx ended at the last moment and closed the wire.
		return nil, errors.Join(ctx.Err(), conn.Close())
	}

	if err != nil {
		return nil, err
	}

	return &guarded{driverConn: conn.(driverConn), wire: a.wire, patience: c.patience}, nil
}
