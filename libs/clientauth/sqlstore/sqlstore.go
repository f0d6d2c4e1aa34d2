package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

var _ clientauth.Assertions = (*Store)(nil)

// Store keeps used assertions in their table.
type Store struct{ db *database.DB }

// New returns a store.
func New(db *database.DB) *Store { return &Store{db} }

// Use implements clientauth.Assertions with one statement.
func (s *Store) Use(ctx context.Context, clientID string, jtiHash []byte, until time.Time) (first bool, err error) {
	const use = `INSERT INTO used_assertions (client_id, jti_hash, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	n, err := s.db.Exec(ctx, "used_assertions.use", use, clientID, jtiHash, database.At(until))
	return n == 1, err
}

// DeleteExpired removes at most batch assertions that no longer need to be remembered, and
// returns how many it removed.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, batch int) (int, error) {
	row := "rowid"
	if s.db.Dialect() == database.Postgres {
		row = "ctid" // the key has two columns
	}
	return s.db.DeleteDue(ctx, "used_assertions", row, "expires_at <= $1", now, batch)
}
