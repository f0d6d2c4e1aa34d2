package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Store implements the ports that write.
type Store struct{ db *database.DB }

var (
	_ ports.SessionWriter = (*Store)(nil)
	_ ports.Expiry        = (*Store)(nil)
)

// New makes a Store.
func New(db *database.DB) *Store { return &Store{db: db} }

const insertSession = `INSERT INTO sessions
	(id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// Create inserts a session and ends the one it replaces.
func (s *Store) Create(ctx context.Context, n *sessions.Session, cookieHash []byte, replaces string) error {
	return s.db.Tx(ctx, "session.create", func(tx *database.Tx) error {
		if replaces != "" {
			if err := end(ctx, tx, replaces, n.CreatedAt); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "session.insert", insertSession,
			n.ID, cookieHash, n.UserID, n.TenantID, database.At(n.AuthTime), n.ACR, database.JSON[[]string]{V: n.AMR},
			database.At(n.CreatedAt), database.At(n.LastSeenAt), database.At(n.ExpiresAt))
		return err
	})
}

// ChooseTenant sets the tenant of a session that has none.
func (s *Store) ChooseTenant(ctx context.Context, sessionID, tenantID string) (bool, error) {
	n, err := s.db.Exec(ctx, "session.choose_tenant",
		`UPDATE sessions SET tenant_id = $1 WHERE id = $2 AND tenant_id = '' AND ended_at IS NULL`, tenantID, sessionID)
	return n == 1, err
}

// End ends a session and its online grants.
func (s *Store) End(ctx context.Context, sessionID string, at time.Time) error {
	return s.db.Tx(ctx, "session.end", func(tx *database.Tx) error { return end(ctx, tx, sessionID, at) })
}

// end is one conditional statement for the session: of two that end it at once
// the second finds nothing to do, and its time stays the first's.
func end(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) error {
	n, err := tx.Exec(ctx, "session.end_one",
		`UPDATE sessions SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL`, database.At(at), sessionID)
	if err != nil || n == 0 {
		return err
	}
	return revokeOnlineGrants(ctx, tx, sessionID, at)
}

// DeleteExpired removes sessions past their absolute end; on PostgreSQL replicas
// pass over the rows that another one is removing.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time, batch int) (int, error) {
	lock := ""
	if s.db.Dialect() == database.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	n, err := s.db.Exec(ctx, "session.delete_expired",
		`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2`+lock+`)`,
		database.At(before), batch)
	if err != nil {
		return 0, fmt.Errorf("delete expired sessions: %w", err)
	}
	return int(n), nil
}

// revokeOnlineGrants stands here and not behind grants/sqlstore because it must
// be one transaction with the session's end; the statement is the same.
func revokeOnlineGrants(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) error {
	_, err := tx.Exec(ctx, "session.revoke_grants",
		`UPDATE grants SET revoked_at = $1 WHERE session_id = $2 AND NOT offline AND revoked_at IS NULL`, database.At(at), sessionID)
	return err
}
