package changes

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Topic is a kind of thing that processes keep in memory.
type Topic string

// Topics. The migrations contain their triggers.
const (
	Applications Topic = "applications" // and their secrets; the key is the client_id
	SigningKeys  Topic = "signing_keys" // the key is the kid
	KeyOrders    Topic = "key_orders"   // operators' orders to the keys service; the key is the algorithm
)

// Bound is the maximum age of what has been reported: a change committed that long ago has been
// reported to every subscriber, or else [Watcher.Told] shows that it may not have been. Bound
// is the interval between two polls, plus the time a poll may take, plus a second for a busy
// machine.
const Bound = lookEvery + lookTimeout + time.Second

const (
	lookEvery       = 2 * time.Second
	lookEverySQLite = 500 * time.Millisecond // costs microseconds there, and there are no notifications
	lookTimeout     = 2 * time.Second
	beatEvery       = 30 * time.Second // how often a listener checks that it hears
	beatTimeout     = 2 * time.Second
	firstRetry      = 250 * time.Millisecond // after a listener lost its connection
	lastRetry       = 15 * time.Second
	deafRetry       = time.Minute // after a listener heard nothing: an operator has to change a setting first
)

// Options configures a Watcher. DB is required.
type Options struct {
	DB *database.DB
	// ListenURL is where to listen for notifications. It must be PostgreSQL itself, because a
	// transaction pooler forwards none. If it is empty, as with SQLite, the Watcher doesn't
	// listen.
	ListenURL     string
	Now           func() time.Time // nil: time.Now
	Logger        *slog.Logger     // nil: silent
	MeterProvider metric.MeterProvider

	pace pace // zero: the constants, which are too slow for tests
}

// pace says how often things are done.
type pace struct {
	look, beat, beatTimeout, firstRetry, deafRetry time.Duration
}

// Watcher reports changes to its subscribers while it runs. It is safe for concurrent use. A
// nil Watcher reports nothing, and its Told says so.
type Watcher struct {
	db     *database.DB
	url    string
	now    func() time.Time
	logger *slog.Logger
	pace   pace
	id     string // identifies its own heartbeats

	told      atomic.Int64 // microseconds since 1970; 0: none yet
	listening atomic.Bool
	look      chan struct{} // requests a poll now

	seen *string // what the last poll saw; nil: none yet. Used only by the polling goroutine.

	mu          sync.Mutex      // guards the fields below; held while subscribers are called
	versions    map[Topic]int64 // from the last poll, never from a notification
	subscribers map[Topic][]func(key string)
}

// New returns a watcher. It does nothing until Run.
func New(o Options) (*Watcher, error) {
	w := &Watcher{
		db:          o.DB,
		url:         o.ListenURL,
		now:         o.Now,
		logger:      o.Logger,
		pace:        o.pace,
		id:          rand.Text(),
		look:        make(chan struct{}, 1),
		versions:    map[Topic]int64{},
		subscribers: map[Topic][]func(string){},
	}
	if w.now == nil {
		w.now = time.Now
	}

	if w.logger == nil {
		w.logger = slog.New(slog.DiscardHandler)
	}

	if w.pace == (pace{}) {
		w.pace = pace{
			look:        lookEvery,
			beat:        beatEvery,
			beatTimeout: beatTimeout,
			firstRetry:  firstRetry,
			deafRetry:   deafRetry,
		}
		if o.DB.Dialect() == database.SQLite {
			w.pace.look = lookEverySQLite
		}
	}

	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}

	return w, w.observe(o.MeterProvider)
}

// observe exports metrics about how well the watcher is informed.
func (w *Watcher) observe(provider metric.MeterProvider) error {
	meter := provider.Meter("github.com/platform-oauth/platform-oauth/libs/database/changes")
	_, err := meter.Int64ObservableGauge("platform.changes.listening",
		metric.WithDescription("1 while change notifications arrive from the database, 0 while changes are polled."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			n := int64(0)
			if w.listening.Load() {
				n = 1
			}
			o.Observe(n)
			return nil
		}))
	if err != nil {
		return err
	}

	_, err = meter.Float64ObservableGauge("platform.changes.age", metric.WithUnit("s"),
		metric.WithDescription("Time since changes were last known for certain."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			if told := w.Told(); !told.IsZero() {
				o.Observe(w.now().Sub(told).Seconds())
			}
			return nil
		}))

	return err
}

// Subscribe arranges for f to be called with the key of what changed, or with "" if anything of
// the topic may have changed. Calls are made one at a time, and f must return soon. One call
// with "" is made when the watcher starts running.
func (w *Watcher) Subscribe(topic Topic, f func(key string)) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers[topic] = append(w.subscribers[topic], f)
}

// Signal returns a channel that receives when anything of a topic changed. Changes before the
// signal is read are combined into one. The channel is never closed. For a nil Watcher it is
// nil and never receives.
func (w *Watcher) Signal(topics ...Topic) <-chan struct{} {
	if w == nil {
		return nil
	}

	signal := make(chan struct{}, 1)
	for _, topic := range topics {
		w.Subscribe(topic, func(string) {
			select {
			case signal <- struct{}{}:
			default:
			}
		})
	}

	return signal
}

// Told returns the time up to which every change has been reported, or zero if there is none.
// It is older than [Bound] if the database can't be reached.
func (w *Watcher) Told() time.Time {
	if w == nil {
		return time.Time{}
	}

	at := w.told.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at)
}

// Run watches until ctx ends, which isn't an error. While the database is down, it keeps
// retrying.
func (w *Watcher) Run(ctx context.Context) error {
	var running sync.WaitGroup
	if w.url != "" {
		running.Go(func() { w.keepListening(ctx) })
	}

	w.keepLooking(ctx)
	running.Wait()
	return nil
}

// keepLooking polls for changes, whether notifications arrive or not.
func (w *Watcher) keepLooking(ctx context.Context) {
	failing := false
	for {
		err := w.lookOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			w.logger.WarnContext(ctx,
				"can't poll the database for changes; cached entries expire by age only", "error", err)
		case err == nil && failing:
			w.logger.InfoContext(ctx, "recovered: polling the database for changes")
		}

		failing = err != nil
		timer := time.NewTimer(w.pace.look)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.look:
		}

		timer.Stop()
	}
}

// looks are the queries for the keys changed since the previous poll ($1; NULL: there was
// none), with the version of each topic and the value to pass to the next poll (seen). Versions
// alone aren't enough: they show that something changed, and a notification about one key says
// nothing about another.
var looks = map[database.Dialect]string{
	// A transaction that the previous poll's snapshot could not see may have begun long before
	// it. After a restore from a backup, transactions reuse the numbers of earlier ones, which
	// the column anew reveals.
	database.Postgres: `
SELECT v.topic, v.version, k.key, pg_current_snapshot()::text AS seen,
       pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax($1::pg_snapshot) AS anew
FROM change_versions v
LEFT JOIN change_keys k ON k.topic = v.topic AND k.version >= pg_snapshot_xmin($1::pg_snapshot)
  AND NOT pg_visible_in_snapshot(k.version, $1::pg_snapshot)`,
	// Only one transaction writes at a time, so versions are ordered.
	database.SQLite: `
SELECT v.topic, v.version, k.key, CAST((SELECT COALESCE(max(version), 0) FROM change_keys) AS text) AS seen, false AS anew
FROM change_versions v
LEFT JOIN change_keys k ON k.topic = v.topic AND k.version > CAST($1 AS integer)`,
}

// lookOnce reads what changed since the previous poll and reports it.
func (w *Watcher) lookOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()

	began := w.now()
	var rows []struct {
		Topic   Topic   `db:"topic"`
		Version int64   `db:"version"`
		Key     *string `db:"key"`
		Seen    string  `db:"seen"`
		Anew    *bool   `db:"anew"`
	}
	if err := w.db.Select(ctx, "changes.look", &rows, looks[w.db.Dialect()], w.seen); err != nil {
		return err
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	named := map[Topic]bool{}
	for _, row := range rows {
		if row.Key != nil {
			named[row.Topic] = true
			w.tell(row.Topic, *row.Key)
		}
	}

	for _, row := range rows {
		w.seen = &row.Seen
		known, ok := w.versions[row.Topic]
		if !ok || (row.Anew != nil && *row.Anew) || (known != row.Version && !named[row.Topic]) {
			w.tell(row.Topic, "")
		}
		w.versions[row.Topic] = row.Version
	}

	w.told.Store(began.UnixMicro())
	return nil
}

// tell calls the subscribers. w.mu must be held.
func (w *Watcher) tell(topic Topic, key string) {
	for _, f := range w.subscribers[topic] {
		f(key)
	}
}
