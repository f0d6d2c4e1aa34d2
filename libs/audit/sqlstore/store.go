package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

const (
	// batchSize is the maximum number of rows that one statement adds.
	batchSize = 100
	// queueSize is the maximum number of events that wait while the database is slow.
	queueSize = 10_000
	// patience is how long one statement may take. Its callers may give up earlier.
	patience = 5 * time.Second
)

var errQueueFull = errors.New("audit: too many events are waiting to be written")

// Store writes the trail for one service. Events that arrive during a write are written
// together by the next statement, in order, so chaining them needs no lock in the database.
type Store struct {
	db      database.Runner
	service string
	now     func() time.Time
	random  io.Reader
	counter *audit.Counter
	written metric.Int64Counter // nil: no counting

	mu      sync.Mutex
	queue   []*waiting
	writing bool

	// last is the link of the last row written by this store in this process. A store that
	// doesn't know its last row starts a new chain.
	last audit.Link
}

// waiting is an event whose caller waits until it is written.
type waiting struct {
	ctx    context.Context //nolint:containedctx // of the caller
	record audit.Record
	done   chan error
}

// New returns a store. db is a transaction if the event must be written if and only if the
// change it reports is committed.
func New(db database.Runner, service string, now func() time.Time, random io.Reader) *Store {
	return &Store{
		db:      db,
		service: service,
		now:     now,
		random:  random,
		counter: audit.NewCounter(0),
	}
}

// Sampling sets how many events of the sampled kinds there are for each one written.
func (s *Store) Sampling(each int) *Store {
	s.counter = audit.NewCounter(each)
	return s
}

// Counting makes the store count the events it writes by kind, as platform.audit.events.
func (s *Store) Counting(provider metric.MeterProvider) *Store {
	written, err := provider.Meter("github.com/platform-oauth/platform-oauth/libs/audit").Int64Counter("platform.audit.events",
		metric.WithUnit("{event}"), metric.WithDescription("Events written to the audit trail, by kind."))
	if err != nil { // only for a name that OpenTelemetry does not allow
		otel.Handle(err)
		return s
	}

	s.written = written
	return s
}

const columns = `id, at, kind, service, user_id, account, client_id, tenant_id, session_id, grant_id, address, reference, detail, chain, seq, prev_hash, hash`

// columnCount is the number of columns.
var columnCount = strings.Count(columns, ",") + 1

// Record adds a row with the current time, and returns when it has been written. It reads
// nothing back, because services may not read the trail. An event of a counted or sampled kind
// may be left out, which isn't an error.
func (s *Store) Record(ctx context.Context, e audit.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}

	at := s.now().UTC().Truncate(time.Microsecond)
	e, wanted := s.counter.Admit(e, at)
	if !wanted {
		return nil
	}

	id, err := newID(at, s.random)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}

	w := &waiting{ctx: ctx, record: audit.Record{
		Event:   e,
		ID:      id,
		At:      at,
		Service: s.service,
	}, done: make(chan error, 1)}
	if _, inTransaction := s.db.(*database.Tx); inTransaction { // a transaction is for one goroutine
		s.write(ctx, []*waiting{w})
		return <-w.done
	}

	if err := s.enqueue(w); err != nil {
		return err
	}

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("audit: whether the event was written is unknown: %w", ctx.Err())
	}
}

func (s *Store) enqueue(w *waiting) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.queue) >= queueSize {
		return errQueueFull
	}

	s.queue = append(s.queue, w)

	if !s.writing {
		s.writing = true
		go s.drain()
	}

	return nil
}

// drain writes until no events wait.
func (s *Store) drain() {
	for {
		s.mu.Lock()

		if len(s.queue) == 0 {
			s.writing = false
			s.mu.Unlock()
			return
		}

		n := min(batchSize, len(s.queue))
		batch := s.queue[:n:n]
		s.queue = s.queue[n:]
		s.mu.Unlock()
		s.writeBatch(batch)
	}
}

// writeBatch writes with the values of the first caller's context, but isn't canceled with it.
func (s *Store) writeBatch(batch []*waiting) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(batch[0].ctx), patience)
	defer cancel()
	err := s.insert(ctx, batch)
	if kind := database.Classify(ctx, err); kind != database.KindOther && kind != database.KindRefused {
		s.tell(ctx, batch, err)
		return
	}

	// Either the database refuses one of the events, which must not affect the others, or the
	// partition for a row has just been replaced, which doesn't happen twice. Write them one by
	// one.
	for _, w := range batch {
		s.write(ctx, []*waiting{w})
	}
}

func (s *Store) write(ctx context.Context, batch []*waiting) {
	s.tell(ctx, batch, s.insert(ctx, batch))
}

// tell answers the callers.
func (s *Store) tell(ctx context.Context, batch []*waiting, err error) {
	for _, w := range batch {
		if err == nil && s.written != nil {
			s.written.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", string(w.record.Kind))))
		}
		w.done <- err
	}
}

// insert adds the rows after the last one added. After an error it isn't known what was
// written, so the next rows start a new chain.
func (s *Store) insert(ctx context.Context, batch []*waiting) error {
	last := s.last
	s.last = audit.Link{}
	args := make([]any, 0, len(batch)*columnCount)
	for _, w := range batch {
		if err := s.link(&last, &w.record); err != nil {
			return err
		}
		args = append(args, values(&w.record)...)
	}

	if _, err := s.db.Exec(ctx, "audit.record", insertStatement(len(batch)), args...); err != nil {
		return err
	}

	s.last = last
	return nil
}

// link puts a row into the chain of its day.
func (s *Store) link(last *audit.Link, r *audit.Record) error {
	if day := r.At.Format(audit.DayFormat); last.Day() != day {
		chain, err := oauth.NewID(day+".", s.random)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		*last = audit.Link{Chain: chain}
	}

	last.Follow(r)
	*last = r.Link
	return nil
}

func values(r *audit.Record) []any {
	var before any // NULL in the first row
	if len(r.PrevHash) > 0 {
		before = r.PrevHash
	}

	return []any{
		r.ID, database.At(r.At), string(r.Kind), r.Service, r.UserID, r.Account, r.ClientID,
		r.TenantID, r.SessionID, r.GrantID,
		r.Address, r.Reference,
		database.JSON[map[string]string]{V: r.Detail},
		r.Chain, r.Seq, before, r.Hash,
	}
}

var insertOne = buildInsert(1)

func insertStatement(rows int) string {
	if rows == 1 {
		return insertOne
	}
	return buildInsert(rows)
}

func buildInsert(rows int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO audit_events (` + columns + `) VALUES `)

	for i := range rows * columnCount {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columnCount == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}

		b.WriteString("$" + strconv.Itoa(i+1))
	}

	return b.String() + ")"
}

// newID returns an id that sorts by time, so that a reader can continue where it stopped.
func newID(at time.Time, random io.Reader) (string, error) {
	return oauth.NewID(fmt.Sprintf("aud_%014x", at.UnixMicro()), random)
}
