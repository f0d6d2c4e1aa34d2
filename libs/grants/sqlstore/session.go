package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
)

// ForSession is the session service's store of flows and grants.
type ForSession struct {
	db database.Runner
	sealing
}

// NewForSession returns the session service's store. db is a transaction if a session and its
// grants must end together.
func NewForSession(db database.Runner) *ForSession { return &ForSession{db: db} }

// Sealing returns the store with the given sealer for flows. Without a sealer every flow needs a
// row.
func (s *ForSession) Sealing(sealer *sealed.Sealer) *ForSession {
	return &ForSession{db: s.db, sealing: sealing{sealer}}
}

// Flow returns a flow in any state, by its id or by the token that it is sealed in, or
// grants.ErrNotFound.
func (s *ForSession) Flow(ctx context.Context, handle string) (*grants.Flow, error) {
	return s.find(ctx, s.db, handle)
}

// Start inserts a flow of grants.KindAccount, which the session service creates itself. It
// has no application, but may already have an address and a tenant.
func (s *ForSession) Start(ctx context.Context, f *grants.Flow) error {
	const start = `
INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, ui_locales,
       login_email, tenant_id, created_at, expires_at)
VALUES ($1, 'account', $2, '', '', '', '', $3, $4, $5, $6, $7)`
	_, err := s.db.Exec(ctx, "authorization_requests.start", start, f.ID, f.BrowserHash, f.UILocales,
		f.LoginEmail, f.TenantID,
		database.At(f.CreatedAt), database.At(f.ExpiresAt))
	return err
}

// Settle creates the row of a flow that was sealed so far. It may be called any number of
// times: the id comes from the token, so that all calls end up at one row, whichever was first
// and whatever has happened to the row since. It returns grants.ErrExpired if the flow is
// over at now, because by then its row may have been removed.
func (s *ForSession) Settle(ctx context.Context, f *grants.Flow, now time.Time) error {
	if !now.Before(f.ExpiresAt) {
		return grants.ErrExpired
	}

	const settle = insertFlow + ` ON CONFLICT (id) DO NOTHING`
	_, err := s.db.Exec(ctx, "authorization_requests.settle", settle, flowArgs(ctx, f)...)
	return err
}

// SetLogin stores the address entered in a flow that is still going on; an empty one removes
// it. It returns grants.ErrConsumed, ErrExpired or ErrNotFound.
func (s *ForSession) SetLogin(ctx context.Context, id, email string, now time.Time) error {
	const set = `UPDATE authorization_requests SET login_email = $3 WHERE id = $2 AND consumed_at IS NULL AND expires_at > $1`
	n, err := s.db.Exec(ctx, "authorization_requests.login", set, database.At(now), id, email)
	if err != nil || n == 1 {
		return err
	}
	return whyNot(ctx, s.db, id, now, grants.ErrDecided)
}

// Rebinding says which flows Rebind moves.
type Rebinding struct {
	From, To []byte // SHA-256 of the browser cookie and of its replacement
	Flow     string // the flow during which the cookie changes, or empty
	At       time.Time
}

// boundTo finds the flows to move when a browser's cookie changes. Decided ones stay behind,
// so that an answer given before a sign-in is worth nothing after it. The flow in which the
// person signs in moves in any case and is decided again.
const boundTo = `browser_hash = $1 AND consumed_at IS NULL AND expires_at > $2 AND (decision = '' OR id = $3)`

// Rebind moves flows from a browser cookie to its replacement, and reports whether r.Flow
// was among them. Of any number of callers with the same cookie and flow exactly one moves it;
// if none is moved, nothing changes. The caller must be in a transaction. Rows are locked in
// the order of their ids, so that two tabs don't deadlock.
func (s *ForSession) Rebind(ctx context.Context, dialect database.Dialect, r Rebinding) (bool, error) {
	if len(r.From) == 0 || len(r.To) == 0 {
		return false, nil
	}

	lock := ""
	if dialect == database.Postgres {
		lock = " FOR UPDATE"
	}

	var bound []string
	err := s.db.Select(ctx, "authorization_requests.of_browser", &bound,
		`SELECT id FROM authorization_requests WHERE `+boundTo+` ORDER BY id`+lock, r.From, database.At(r.At), r.Flow)
	if err != nil || len(bound) == 0 || (r.Flow != "" && !slices.Contains(bound, r.Flow)) {
		return false, err
	}

	_, err = s.db.Exec(ctx, "authorization_requests.rebind",
		`UPDATE authorization_requests SET browser_hash = $4 WHERE `+boundTo, r.From, database.At(r.At), r.Flow, r.To)
	return err == nil, err
}

// Decide writes who signed in and their decision. It may be called again while the flow goes on
// (signed_in, then consented), but not after a refusal. Calls that come too late get
// grants.ErrConsumed, ErrExpired, ErrDecided or ErrNotFound.
func (s *ForSession) Decide(
	ctx context.Context, id string, d grants.Decision, sessionID, tenantID string, now time.Time,
) error {
	const decide = `
UPDATE authorization_requests SET decision = $3, session_id = $4, tenant_id = $5, decided_at = $1
WHERE id = $2 AND decision <> 'denied' AND consumed_at IS NULL AND expires_at > $1`
	n, err := s.db.Exec(ctx, "authorization_requests.decide", decide, database.At(now), id,
		string(d), sessionID, tenantID)
	if err != nil || n == 1 {
		return err
	}
	return whyNot(ctx, s.db, id, now, grants.ErrDecided)
}
