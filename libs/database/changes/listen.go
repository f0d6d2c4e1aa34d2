package changes

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
)

const (
	channel   = "platform_changes"
	heartbeat = "heartbeat" // in place of a topic
)

// errDeaf reports that a listener doesn't hear what is sent through the pool.
var errDeaf = errors.New("notifications don't arrive: PLATFORM_DATABASE_DIRECT_URL must reach the same database without a transaction pooler")

// keepListening listens, reconnecting as needed, until ctx ends.
func (w *Watcher) keepListening(ctx context.Context) {
	retry, failing := w.pace.firstRetry, false
	for {
		heard, err := w.listen(ctx)
		w.listening.Store(false)
		w.lookNow() // for what was not heard

		if ctx.Err() != nil {
			return
		}

		if heard {
			retry, failing = w.pace.firstRetry, false
		}

		if !failing {
			w.logger.WarnContext(ctx,
				"no change notifications from the database; polling every few seconds instead", "error", err)
		}

		failing = true
		pause := retry
		if !heard && errors.Is(err, errDeaf) {
			pause = w.pace.deafRetry
		}

		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}

		retry = min(2*retry, lastRetry)
	}
}

// listen listens on one connection until the connection is lost or found to be deaf. heard
// reports whether it ever heard anything.
func (w *Watcher) listen(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ear, err := w.connect(ctx)
	if err != nil {
		return false, err
	}

	defer ear.close()
	pulse := newPulse(w.pace)
	defer pulse.stop()
	sent := make(chan error, 1) // sent by a goroutine, so that notifications needn't wait meanwhile
	for {
		select {
		case <-ctx.Done():
			return heard, ctx.Err()
		case n, ok := <-ear.heard:
			switch {
			case !ok:
				return heard, ear.conn.Err()
			case n.Extra == heartbeat+" "+w.id:
				pulse.felt()
				if !heard {
					heard = true
					w.hears(ctx)
				}
			default:
				w.hear(n.Extra)
			}
		case <-pulse.due.C:
			pulse.expect()
			go func() { sent <- w.beat(ctx) }()
		case err := <-sent:
			if err != nil {
				return heard, err
			}
		case <-pulse.late:
			return heard, errDeaf
		}
	}
}

// hears records that the listener works. A poll finds what changed before that.
func (w *Watcher) hears(ctx context.Context) {
	w.listening.Store(true)
	w.lookNow()
	w.logger.InfoContext(ctx, "receiving change notifications from the database")
}

func (w *Watcher) lookNow() {
	select {
	case w.look <- struct{}{}:
	default:
	}
}

// beat sends a heartbeat through the pool, just as changes are sent. The listener's own
// connection would prove nothing, because a pooler sometimes assigns it the same server
// process.
func (w *Watcher) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.pace.beatTimeout)
	defer cancel()
	_, err := w.db.Exec(ctx, "changes.heartbeat", `SELECT pg_notify($1, $2)`, channel, heartbeat+" "+w.id)
	return err
}

// hear reports the change in a notification, which holds topic, version and key. Earlier
// notifications may have been lost, so the next poll reads the change again.
func (w *Watcher) hear(text string) {
	topic, rest, _ := strings.Cut(text, " ")
	number, key, _ := strings.Cut(rest, " ")
	if _, err := strconv.ParseInt(number, 10, 64); err != nil { // another watcher's heartbeat
		return
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(Topic(topic), key)
}

// ear is a connection that listens.
type ear struct {
	conn  *pq.ListenerConn
	heard chan *pq.Notification // closed when the connection is lost
}

// close closes the connection and drains what still arrives.
func (e ear) close() {
	_ = e.conn.Close()
	for range e.heard {
		continue // until it is closed
	}
}

// connect opens a connection and listens on it. The driver's own Listener can't be stopped
// while a server accepts connections but doesn't respond.
func (w *Watcher) connect(ctx context.Context) (ear, error) {
	dsn, err := pqguard.DSN(w.url)
	if err != nil {
		return ear{}, err
	}

	type result struct {
		ear ear
		err error
	}
	made := make(chan result, 1)
	go func() { // ends after connect_timeout
		heard := make(chan *pq.Notification, 64)
		conn, err := pq.NewListenerConn(dsn, heard)
		made <- result{ear{conn, heard}, err}
	}()

	select {
	case <-ctx.Done():
		go func() {
			if late := <-made; late.err == nil {
				late.ear.close()
			}
		}()
		return ear{}, ctx.Err()
	case r := <-made:
		if r.err != nil {
			return ear{}, r.err
		}
		return r.ear, r.ear.listen(ctx, w.pace.beatTimeout)
	}
}

// listen subscribes to notifications, and closes the connection if there is no answer.
func (e ear) listen(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = e.conn.Close() })()
	if _, err := e.conn.Listen(channel); err != nil {
		e.close()
		return errors.Join(ctx.Err(), err)
	}
	return nil
}

// pulse tracks when the next heartbeat is due and whether the last one is late.
type pulse struct {
	pace  pace
	due   *time.Timer
	timer *time.Timer // fires late
	late  <-chan time.Time
}

// newPulse returns a pulse whose first heartbeat is due at once.
func newPulse(p pace) *pulse { return &pulse{pace: p, due: time.NewTimer(0)} }

// expect starts waiting for the heartbeat sent now. Sending it may take as long again.
func (p *pulse) expect() {
	p.timer = time.NewTimer(2 * p.pace.beatTimeout)
	p.late = p.timer.C
}

// felt records that the heartbeat arrived. The next one is due some time later, at a different
// moment in each replica.
func (p *pulse) felt() {
	if p.timer != nil {
		p.timer.Stop()
		p.late = nil
	}
	p.due.Reset(p.pace.beat*3/4 + rand.N(p.pace.beat/2)) //nolint:gosec // no secret
}

func (p *pulse) stop() {
	p.due.Stop()
	if p.timer != nil {
		p.timer.Stop()
	}
}
