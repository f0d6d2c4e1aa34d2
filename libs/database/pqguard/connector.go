package pqguard

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"log/slog"
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
	errPrepared  = errors.New("database: a guarded connection prepares its statements itself")
)

// Options are the settings of a [Connector]. Zero values are good.
type Options struct {
	Patience time.Duration // bounds each statement; 0: only its context does
	Prepare  Prepare
	Logger   *slog.Logger // logs once if statements can't be prepared; nil: no logging
}

// Connector makes guarded connections.
type Connector struct {
	current    atomic.Pointer[pq.Config] // with the server's settings, until a pooler refuses them
	plain      *pq.Config
	patience   time.Duration
	prepare    Prepare
	logger     *slog.Logger
	unprepared atomic.Bool // a pooler does not keep prepared statements
}

var _ driver.Connector = (*Connector)(nil)

// New returns a connector for a DSN in the driver's form, given both without and with settings
// for the server.
func New(dsn, dsnWithSettings string, o Options) (*Connector, error) {
	plain, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, err
	}

	full, err := pq.NewConfig(dsnWithSettings)
	if err != nil {
		return nil, err
	}

	c := &Connector{
		plain:    &plain,
		patience: o.Patience,
		prepare:  o.Prepare,
		logger:   o.Logger,
	}
	c.current.Store(&full)

	return c, nil
}

// Connect implements [driver.Connector].
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	using := c.current.Load()
	conn, err := c.connect(ctx, using)
	if using != c.plain && refusesSettings(err) {
		c.current.Store(c.plain)
		conn, err = c.connect(ctx, c.plain)
	}

	if err != nil {
		return nil, err
	}

	return conn, nil
}

// connect makes a connection and decides whether it prepares its statements.
func (c *Connector) connect(ctx context.Context, config *pq.Config) (*guarded, error) {
	own, mark := config.Clone(), ""
	if config != c.plain && c.prepare != PrepareNever {
		mark = rand.Text()
		own.Runtime[marker] = mark
	}

	connector, err := pq.NewConnectorConfig(own)
	if err != nil {
		return nil, err
	}

	connector.Dialer(dialer{})
	conn, err := c.open(ctx, connector)
	if err != nil {
		return nil, err
	}

	if own.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, own.ConnectTimeout)
		defer cancel()
	}

	if err := c.decide(ctx, conn, mark); err != nil {
		return nil, errors.Join(err, conn.Close())
	}

	return conn, nil
}

// Driver implements [driver.Connector].
func (c *Connector) Driver() driver.Driver { return pq.Driver{} }

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

func (c *Connector) open(ctx context.Context, connector *pq.Connector) (*guarded, error) {
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
		if a.wire != nil && a.wire.fault != nil {
			err = errors.Join(a.wire.fault, err)
		}
		return nil, err
	}

	return &guarded{
		driverConn: conn.(driverConn),
		wire:       a.wire,
		patience:   c.patience,
		connector:  c,
	}, nil
}
