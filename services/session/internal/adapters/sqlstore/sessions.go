package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Store implements the ports that write.
type Store struct{ db *database.DB }

var (
	_ ports.SessionWriter = (*Store)(nil)
	_ ports.Renewals      = (*Store)(nil)
	_ ports.Allowances    = (*Store)(nil)
)

// New makes a Store.
func New(db *database.DB) *Store { return &Store{db: db} }

const insertSession = `INSERT INTO sessions
	(id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, browser_hash, user_agent, address, person_ends)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

// Create inserts a session, ends those it replaces and takes the others of its
// browser along.
func (s *Store) Create(ctx context.Context, n *sessions.Session, cookieHash []byte, ends, keeps []string) error {
	return s.db.TxAgain(ctx, "session.create", func(tx *database.Tx) error {
		for _, id := range ends {
			if err := end(ctx, tx, id, n.CreatedAt); err != nil {
				return err
			}
		}
		for _, id := range keeps {
			_, err := tx.Exec(ctx, "session.keep", `UPDATE sessions SET browser_hash = $1 WHERE id = $2 AND ended_at IS NULL`, n.BrowserHash, id)
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "session.insert", insertSession,
			n.ID, cookieHash, n.UserID, n.TenantID, database.At(n.AuthTime), n.ACR, database.JSON[[]string]{V: n.AMR},
			database.At(n.CreatedAt), database.At(n.LastSeenAt), database.At(n.ExpiresAt), n.BrowserHash, n.UserAgent, n.Address, n.PersonEnds)
		return err
	})
}

// Renew gives a session that goes on another cookie.
func (s *Store) Renew(ctx context.Context, sessionID string, cookieHash []byte) (bool, error) {
	n, err := s.db.Exec(ctx, "session.renew",
		`UPDATE sessions SET cookie_hash = $1 WHERE id = $2 AND ended_at IS NULL`, cookieHash, sessionID)
	return n == 1, err
}

// ChooseTenant sets the tenant of a session that has none.
func (s *Store) ChooseTenant(ctx context.Context, sessionID, tenantID string) (bool, error) {
	n, err := s.db.Exec(ctx, "session.choose_tenant",
		`UPDATE sessions SET tenant_id = $1 WHERE id = $2 AND tenant_id = '' AND ended_at IS NULL`, tenantID, sessionID)
	return n == 1, err
}

// End ends a session and its online grants, and queues who hears of it.
func (s *Store) End(ctx context.Context, sessionID string, at time.Time) error {
	return s.db.TxAgain(ctx, "session.end", func(tx *database.Tx) error { return end(ctx, tx, sessionID, at) })
}

func end(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) error {
	_, err := sessionstore.End(ctx, tx, sessionID, at)
	return err
}

// DeleteExpired removes sessions past their absolute end; on PostgreSQL replicas
// pass over the rows that another one is removing.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time, batch int) (int, error) {
	return s.db.DeleteDue(ctx, "sessions", "id", "expires_at < $1", before, batch)
}
