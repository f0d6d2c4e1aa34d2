package sqlstore

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// defaultLimit is how many rows Read answers with when nobody says.
const defaultLimit = 100

// Store writes the trail in the name of one service.
type Store struct {
	db      database.Runner
	service string
	now     func() time.Time
	random  io.Reader
	written metric.Int64Counter // nil: nobody counts
}

// New makes a store. db is a transaction where the event must be written if, and
// only if, what it tells of happens.
func New(db database.Runner, service string, now func() time.Time, random io.Reader) *Store {
	return &Store{db: db, service: service, now: now, random: random}
}

// Counting makes the store count what it writes by kind, as platform.audit.events.
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

const columns = `id, at, kind, service, user_id, client_id, tenant_id, session_id, grant_id, address, reference, detail`

// Record adds a row with the present time. It reads nothing back, for services
// may not read the trail.
func (s *Store) Record(ctx context.Context, e audit.Event) error {
	const insert = `INSERT INTO audit_events (` + columns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	at := s.now()
	id, err := newID(at, s.random)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	_, err = s.db.Exec(ctx, "audit.record", insert, id, database.At(at), string(e.Kind), s.service, e.UserID, e.ClientID,
		e.TenantID, e.SessionID, e.GrantID, e.Address, e.Reference, database.JSON[map[string]string]{V: e.Detail})
	if err == nil && s.written != nil {
		s.written.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", string(e.Kind))))
	}
	return err
}

// newID sorts by time, so that a reader can go on where it stopped.
func newID(at time.Time, random io.Reader) (string, error) {
	return oauth.NewID(fmt.Sprintf("aud_%014x", at.UnixMicro()), random)
}

type row struct {
	ID        string                           `db:"id"`
	At        database.Time                    `db:"at"`
	Kind      string                           `db:"kind"`
	Service   string                           `db:"service"`
	UserID    string                           `db:"user_id"`
	ClientID  string                           `db:"client_id"`
	TenantID  string                           `db:"tenant_id"`
	SessionID string                           `db:"session_id"`
	GrantID   string                           `db:"grant_id"`
	Address   string                           `db:"address"`
	Reference string                           `db:"reference"`
	Detail    database.JSON[map[string]string] `db:"detail"`
}

// Read answers with rows in the order of their time: with AfterID the first ones
// after it, else the newest.
func Read(ctx context.Context, db database.Runner, f audit.Filter) ([]audit.Record, error) {
	query, args := statement(f)
	var rows []row
	if err := db.Select(ctx, "audit.read", &rows, query, args...); err != nil {
		return nil, err
	}
	if f.AfterID == "" {
		slices.Reverse(rows)
	}
	records := make([]audit.Record, len(rows))
	for i, r := range rows {
		records[i] = audit.Record{
			ID: r.ID, At: r.At.Time, Service: r.Service,
			Event: audit.Event{
				Kind: audit.Kind(r.Kind), UserID: r.UserID, ClientID: r.ClientID, TenantID: r.TenantID, SessionID: r.SessionID,
				GrantID: r.GrantID, Address: r.Address, Reference: r.Reference, Detail: r.Detail.V,
			},
		}
	}
	return records, nil
}

func statement(f audit.Filter) (query string, args []any) {
	var where []string
	and := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf("%s $%d", condition, len(args)))
	}
	if f.User != "" {
		and("user_id =", f.User)
	}
	if f.Client != "" {
		and("client_id =", f.Client)
	}
	if f.Reference != "" {
		and("reference =", f.Reference)
	}
	if !f.Since.IsZero() {
		and("at >=", database.At(f.Since))
	}
	order := "DESC"
	if f.AfterID != "" {
		and("id >", f.AfterID)
		order = "ASC"
	}
	query = `SELECT ` + columns + ` FROM audit_events`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	args = append(args, limit)
	return query + fmt.Sprintf(" ORDER BY id %s LIMIT $%d", order, len(args)), args
}
