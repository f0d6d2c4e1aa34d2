package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Store reads sessions and consents.
type Store struct{ db *database.DB }

// New returns a store.
func New(db *database.DB) *Store { return &Store{db} }

// selectSession lacks the source of its rows, which is named sessions.
var selectSession = `
SELECT id, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, ` + endedAt("sessions.") +
	` AS ended_at, user_agent, address,
       person_ends
FROM `

// byCookie returns the source of the sessions with a cookie, whose hash is $1. column is the
// column of the hash, and function the function that looks it up on PostgreSQL, where only the
// session service may read the hashes.
func (s *Store) byCookie(column, function string) string {
	if s.db.Dialect() == database.Postgres {
		return function + `($1) AS sessions`
	}
	return `(SELECT * FROM sessions WHERE ` + column + ` = $1) AS sessions`
}

// endedAt returns SQL for the time a session ended. A session whose access has ended (see
// libs/ending) has ended too, even before its row says so; its creation time then stands for
// the time.
func endedAt(alias string) string {
	return `CASE WHEN ` + alias + `ended_at IS NULL AND ` + alias + `ends <> ` + currentEnds(alias) +
		` THEN ` + alias + `created_at ELSE ` + alias + `ended_at END`
}

func currentEnds(alias string) string {
	return directorystore.AccessEnds(alias+"user_id", alias+"tenant_id", "")
}

// maxListed is more sessions than a page can usefully show.
const maxListed = 100

type row struct {
	ID         string                  `db:"id"`
	UserID     string                  `db:"user_id"`
	TenantID   string                  `db:"tenant_id"`
	AuthTime   database.Time           `db:"auth_time"`
	ACR        string                  `db:"acr"`
	AMR        database.JSON[[]string] `db:"amr"`
	CreatedAt  database.Time           `db:"created_at"`
	LastSeenAt database.Time           `db:"last_seen_at"`
	ExpiresAt  database.Time           `db:"expires_at"`
	EndedAt    database.Time           `db:"ended_at"`
	UserAgent  string                  `db:"user_agent"`
	Address    string                  `db:"address"`
	PersonEnds int64                   `db:"person_ends"`
}

func (r *row) session() *sessions.Session {
	return &sessions.Session{
		ID:         r.ID,
		UserID:     r.UserID,
		TenantID:   r.TenantID,
		AuthTime:   r.AuthTime.Time,
		ACR:        r.ACR,
		AMR:        r.AMR.V,
		CreatedAt:  r.CreatedAt.Time,
		LastSeenAt: r.LastSeenAt.Time,
		ExpiresAt:  r.ExpiresAt.Time,
		EndedAt:    r.EndedAt.Time,
		UserAgent:  r.UserAgent,
		Address:    r.Address,
		PersonEnds: r.PersonEnds,
	}
}

// ByCookie returns the session of a cookie by its SHA-256, in any state, or
// sessions.ErrNotFound.
func (s *Store) ByCookie(ctx context.Context, cookieHash []byte) (*sessions.Session, error) {
	found, err := s.find(ctx, "sessions.by_cookie",
		selectSession+s.byCookie("cookie_hash", "session_of_cookie"), cookieHash)
	if err != nil {
		return nil, err
	}

	found.Proof = cookieHash
	return found, nil
}

// Session returns a session by its id, in any state, or sessions.ErrNotFound. Only the session
// service may read sessions other than by a cookie.
func (s *Store) Session(ctx context.Context, id string) (*sessions.Session, error) {
	return s.find(ctx, "sessions.by_id", selectSession+"sessions WHERE id = $1", id)
}

func (s *Store) find(ctx context.Context, name, query string, arg any) (*sessions.Session, error) {
	var r row
	err := s.db.Get(ctx, name, &r, query, arg)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sessions.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return r.session(), nil
}

// OfBrowser returns the sessions of one browser, by the SHA-256 of its accounts cookie, most
// recently used first. Ended ones are left out; the caller judges whether the others still sign
// in. An empty hash finds nothing.
func (s *Store) OfBrowser(ctx context.Context, browserHash []byte) ([]*sessions.Session, error) {
	if len(browserHash) == 0 {
		return nil, nil
	}

	found, err := s.list(ctx, "sessions.of_browser", s.byCookie("browser_hash", "sessions_of_browser")+" WHERE",
		browserHash)
	for _, one := range found {
		one.Proof = browserHash
	}

	return found, err
}

// OfUser returns a person's sessions as OfBrowser does a browser's.
func (s *Store) OfUser(ctx context.Context, userID string) ([]*sessions.Session, error) {
	return s.list(ctx, "sessions.of_user", "sessions WHERE user_id = $1 AND", userID)
}

// list reads the sessions that go on. source ends where another condition follows.
func (s *Store) list(ctx context.Context, name, source string, arg any) ([]*sessions.Session, error) {
	var rows []row
	err := s.db.Select(ctx, name, &rows,
		selectSession+source+" sessions.ended_at IS NULL AND ends = "+currentEnds("sessions.")+
			" ORDER BY last_seen_at DESC, id LIMIT $2", arg, maxListed)
	if err != nil {
		return nil, err
	}

	found := make([]*sessions.Session, len(rows))
	for i := range rows {
		found[i] = rows[i].session()
	}

	return found, nil
}

// Consented returns the scopes that a person allowed an application before; empty if none.
func (s *Store) Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error) {
	const query = `SELECT scope FROM consents WHERE user_id = $1 AND tenant_id = $2 AND client_id = $3 AND resource = $4`
	var scope string
	err := s.db.Get(ctx, "consents.find", &scope, query, key.UserID, key.TenantID, key.ClientID, key.Resource)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	scopes, _ := oauth.ParseScopes(scope) // was parsed when it was written
	return scopes, nil
}

// Touch records that a session is in use, so that it isn't ended as idle. The time only moves
// forward, whatever order replicas write in. A session that has ended or does not exist is left
// alone. Callers call it at most once a minute per session.
func (s *Store) Touch(ctx context.Context, id string, now time.Time) error {
	const touch = `UPDATE sessions SET last_seen_at = $1 WHERE id = $2 AND last_seen_at < $1 AND ended_at IS NULL`
	_, err := s.db.Exec(ctx, "sessions.touch", touch, database.At(now), id)
	return err
}
