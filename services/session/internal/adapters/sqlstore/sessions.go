package sqlstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Store implements ports.Choices, ports.Renewals, ports.Access and ports.Outbox.
type Store struct{ db *database.DB }

var (
	_ ports.Choices  = (*Store)(nil)
	_ ports.Renewals = (*Store)(nil)
	_ ports.Access   = (*Store)(nil)
)

// New returns a Store.
func New(db *database.DB) *Store { return &Store{db: db} }

const insertSession = `INSERT INTO sessions
	(id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, browser_hash, user_agent, address, person_ends)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

// Create inserts a session and renews the browser's cookies.
func (s *Store) Create(ctx context.Context, n *sessions.Session, r ports.Renewal) (bool, error) {
	return s.renewing(ctx, "session.create", r, func(tx *database.Tx) (bool, error) {
		_, err := tx.Exec(ctx, "session.insert", insertSession,
			n.ID, r.New.Session, n.UserID, n.TenantID, database.At(n.AuthTime), n.ACR,
			database.JSON[[]string]{V: n.AMR},
			database.At(n.CreatedAt), database.At(n.LastSeenAt), database.At(n.ExpiresAt), r.New.Accounts,
			n.UserAgent, n.Address, n.PersonEnds)
		return err == nil, err
	})
}

// The old cookies must still identify the session, so that of two requests that present the
// same cookies exactly one renews them.
const renewSession = `
UPDATE sessions SET cookie_hash = $1, browser_hash = $2, auth_time = $3, acr = $4, amr = $5, last_seen_at = $6, expires_at = $7,
       user_agent = $8, address = $9
WHERE id = $10 AND ended_at IS NULL AND expires_at > $6 AND (cookie_hash = $11 OR browser_hash = $12)`

// Renew renews the cookies of a browser whose session continues.
func (s *Store) Renew(ctx context.Context, n *sessions.Session, r ports.Renewal) (bool, error) {
	return s.renewing(ctx, "session.renew", r, func(tx *database.Tx) (bool, error) {
		changed, err := tx.Exec(ctx, "session.renew", renewSession, r.New.Session, r.New.Accounts,
			database.At(n.AuthTime), n.ACR, database.JSON[[]string]{V: n.AMR}, database.At(r.At),
			database.At(n.ExpiresAt),
			n.UserAgent, n.Address, n.ID, r.Old.Session, r.Old.Accounts)
		return changed == 1, err
	})
}

// Leave ends a session and renews its browser's cookies.
func (s *Store) Leave(ctx context.Context, sessionID string, r ports.Renewal) (bool, error) {
	return s.renewing(ctx, "session.leave", r, func(tx *database.Tx) (bool, error) {
		return sessionstore.End(ctx, tx, sessionID, r.At)
	})
}

// errLost rolls back a renewal if another request was faster.
var errLost = errors.New("sqlstore: the cookies were renewed meanwhile")

// renewing carries out a renewal in one transaction. It rebinds the requests first, since
// those are the rows on which two tabs of a browser collide, then ends the sessions in
// r.Ends, writes the session, and moves the others that the accounts cookie listed.
func (s *Store) renewing(
	ctx context.Context, name string, r ports.Renewal, session func(tx *database.Tx) (bool, error),
) (bool, error) {
	err := s.db.TxAgain(ctx, name, func(tx *database.Tx) error {
		moved, err := grantstore.NewForSession(tx).Rebind(ctx, s.db.Dialect(), grantstore.Rebinding{
			From: r.Old.Browser,
			To:   r.New.Browser,
			Flow: r.Flow,
			At:   r.At,
		})
		if err == nil && !moved && r.Flow != "" {
			err = errLost
		}
		if err != nil {
			return err
		}

		for _, id := range r.Ends {
			if err := end(ctx, tx, id, r.At); err != nil {
				return err
			}
		}

		done, err := session(tx)
		if err == nil && !done {
			err = errLost
		}
		if err != nil {
			return err
		}

		return setAside(ctx, tx, r)
	})
	if errors.Is(err, errLost) {
		return false, nil
	}

	return err == nil, err
}

// setAside moves the browser's other sessions to its new accounts cookie, which alone can
// resume them. The session of the old session cookie gets a hash that matches no cookie.
func setAside(ctx context.Context, tx *database.Tx, r ports.Renewal) error {
	if len(r.Old.Session) > 0 {
		none := sha256.Sum256(slices.Concat(r.Old.Session, r.New.Session))
		_, err := tx.Exec(ctx, "session.set_aside",
			`UPDATE sessions SET cookie_hash = $1, browser_hash = $2 WHERE cookie_hash = $3 AND ended_at IS NULL`,
			none[:], r.New.Accounts, r.Old.Session)
		if err != nil {
			return err
		}
	}

	_, err := tx.Exec(ctx, "session.keep",
		`UPDATE sessions SET browser_hash = $1 WHERE browser_hash = $2 AND ended_at IS NULL`,
		r.New.Accounts, r.Old.Accounts)
	return err
}

// ChooseTenant sets the tenant of a session that has none.
func (s *Store) ChooseTenant(ctx context.Context, sessionID, tenantID string) (bool, error) {
	n, err := s.db.Exec(ctx, "session.choose_tenant",
		`UPDATE sessions SET tenant_id = $1 WHERE id = $2 AND tenant_id = '' AND ended_at IS NULL`, tenantID, sessionID)
	return n == 1, err
}

// End ends a session and its online grants, and queues the logout notices.
func (s *Store) End(ctx context.Context, sessionID string, at time.Time) error {
	return s.db.TxAgain(ctx, "session.end", func(tx *database.Tx) error { return end(ctx, tx, sessionID, at) })
}

func end(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) error {
	_, err := sessionstore.End(ctx, tx, sessionID, at)
	return err
}

// DeleteExpired removes sessions past their absolute end. On PostgreSQL, replicas skip the
// rows that another one is removing.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time, batch int) (int, error) {
	return s.db.DeleteDue(ctx, "sessions", "id", "expires_at < $1", before, batch)
}
