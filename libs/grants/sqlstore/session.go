package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
)

// ForSession is what the session service does with requests and grants.
type ForSession struct {
	db database.Runner
	sealing
}

// NewForSession makes the session service's store. db is a transaction where the
// end of a session and of its grants must be one.
func NewForSession(db database.Runner) *ForSession { return &ForSession{db: db} }

// Sealing returns the store with what seals requests. Without it every request needs
// a row.
func (s *ForSession) Sealing(sealer *sealed.Sealer) *ForSession {
	return &ForSession{db: s.db, sealing: sealing{sealer}}
}

// Request finds a request in whatever state it is, by its id or by the token that it
// is sealed in; grants.ErrNotFound.
func (s *ForSession) Request(ctx context.Context, handle string) (*grants.AuthorizationRequest, error) {
	return s.find(ctx, s.db, handle)
}

// Start inserts a request of grants.KindAccount, which the session service makes
// itself: it has no application, but perhaps an address and a tenant already.
func (s *ForSession) Start(ctx context.Context, r *grants.AuthorizationRequest) error {
	const start = `
INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, ui_locales,
       login_email, tenant_id, created_at, expires_at)
VALUES ($1, 'account', $2, '', '', '', '', $3, $4, $5, $6, $7)`
	_, err := s.db.Exec(ctx, "authorization_requests.start", start, r.ID, r.BrowserHash, r.UILocales, r.LoginEmail, r.TenantID,
		database.At(r.CreatedAt), database.At(r.ExpiresAt))
	return err
}

// Settle makes the row of a request that was sealed so far. It may be said any number
// of times: the id is the token's, so that all come to one row, whoever was first and
// whatever became of it since. grants.ErrExpired where the request is over at now: by
// then its row may have been removed.
func (s *ForSession) Settle(ctx context.Context, r *grants.AuthorizationRequest, now time.Time) error {
	if !now.Before(r.ExpiresAt) {
		return grants.ErrExpired
	}

	const settle = insertRequest + ` ON CONFLICT (id) DO NOTHING`
	_, err := s.db.Exec(ctx, "authorization_requests.settle", settle, requestArgs(ctx, r)...)
	return err
}

// SetLogin keeps the address that was typed in a flow that still goes on; an
// empty one takes it back. grants.ErrConsumed, ErrExpired, ErrNotFound.
func (s *ForSession) SetLogin(ctx context.Context, id, email string, now time.Time) error {
	const set = `UPDATE authorization_requests SET login_email = $3 WHERE id = $2 AND consumed_at IS NULL AND expires_at > $1`
	n, err := s.db.Exec(ctx, "authorization_requests.login", set, database.At(now), id, email)
	if err != nil || n == 1 {
		return err
	}
	return whyNot(ctx, s.db, id, now, grants.ErrDecided)
}

// Decide writes who signed in and what they said. It may be said again while the
// flow goes on (signed_in, then consented), but not after a refusal. The others
// hear grants.ErrConsumed, ErrExpired, ErrDecided or ErrNotFound.
func (s *ForSession) Decide(ctx context.Context, id string, d grants.Decision, sessionID, tenantID string, now time.Time) error {
	const decide = `
UPDATE authorization_requests SET decision = $3, session_id = $4, tenant_id = $5, decided_at = $1
WHERE id = $2 AND decision <> 'denied' AND consumed_at IS NULL AND expires_at > $1`
	n, err := s.db.Exec(ctx, "authorization_requests.decide", decide, database.At(now), id, string(d), sessionID, tenantID)
	if err != nil || n == 1 {
		return err
	}
	return whyNot(ctx, s.db, id, now, grants.ErrDecided)
}

// RevokeSessionGrants ends the online grants of a session, offline ones outlive
// it, and says how many it ended.
func (s *ForSession) RevokeSessionGrants(ctx context.Context, sessionID string, now time.Time) (int, error) {
	const revoke = `UPDATE grants SET revoked_at = $1 WHERE session_id = $2 AND NOT offline AND revoked_at IS NULL`
	n, err := s.db.Exec(ctx, "grants.revoke_session", revoke, database.At(now), sessionID)
	return int(n), err
}
