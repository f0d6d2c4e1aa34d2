package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// ForToken is what the token service does with codes and grants.
type ForToken struct{ db *database.DB }

// NewForToken makes the token service's store.
func NewForToken(db *database.DB) *ForToken { return &ForToken{db} }

const selectRedeemable = `
SELECT COALESCE(c.request_id, '') AS request_id, c.client_id, c.redirect_uri, c.code_challenge, c.scope, c.nonce, c.resource,
       c.grant_id, c.offline, c.user_id, c.tenant_id, c.session_id, c.auth_time, c.acr, c.amr, c.created_at, c.expires_at,
       c.consumed_at,` + whoColumns + `,` + sessionColumn + `
FROM authorization_codes c` + whoJoins + sessionJoin + `
WHERE c.code_hash = $1`

type redeemableRow struct {
	RequestID     string                  `db:"request_id"`
	ClientID      string                  `db:"client_id"`
	RedirectURI   string                  `db:"redirect_uri"`
	CodeChallenge string                  `db:"code_challenge"`
	Scope         string                  `db:"scope"`
	Nonce         string                  `db:"nonce"`
	Resource      string                  `db:"resource"`
	GrantID       string                  `db:"grant_id"`
	Offline       bool                    `db:"offline"`
	UserID        string                  `db:"user_id"`
	TenantID      string                  `db:"tenant_id"`
	SessionID     string                  `db:"session_id"`
	AuthTime      database.Time           `db:"auth_time"`
	ACR           string                  `db:"acr"`
	AMR           database.JSON[[]string] `db:"amr"`
	CreatedAt     database.Time           `db:"created_at"`
	ExpiresAt     database.Time           `db:"expires_at"`
	ConsumedAt    database.Time           `db:"consumed_at"`
	who
	SessionLive bool `db:"session_live"`
}

// Redeemable finds a code by its SHA-256, in whatever state it is, together with
// the person, tenant and session behind it; grants.ErrNotFound.
func (s *ForToken) Redeemable(ctx context.Context, codeHash []byte, now time.Time) (*grants.Redeemable, error) {
	var row redeemableRow
	if err := s.db.Get(ctx, "authorization_codes.find", &row, selectRedeemable, codeHash, database.At(now)); err != nil {
		return nil, notFound(err)
	}
	scope, _ := oauth.ParseScopes(row.Scope)
	return &grants.Redeemable{
		AuthorizationCode: grants.AuthorizationCode{
			Hash: codeHash, RequestID: row.RequestID, ClientID: row.ClientID, RedirectURI: row.RedirectURI,
			CodeChallenge: row.CodeChallenge, Scope: scope, Nonce: row.Nonce, Resource: row.Resource, GrantID: row.GrantID,
			Offline: row.Offline, UserID: row.UserID, TenantID: row.TenantID, SessionID: row.SessionID, AuthTime: row.AuthTime.Time,
			ACR: row.ACR, AMR: row.AMR.V, CreatedAt: row.CreatedAt.Time, ExpiresAt: row.ExpiresAt.Time, ConsumedAt: row.ConsumedAt.Time,
		},
		User: row.user(row.UserID), Tenant: row.tenant(row.TenantID), Member: row.Member, SessionLive: row.SessionLive,
	}, nil
}

// A code whose session ended between the reading and now does not redeem.
const consumeCode = `
UPDATE authorization_codes SET consumed_at = $2
WHERE code_hash = $1 AND grant_id = $3 AND consumed_at IS NULL AND expires_at > $2
  AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = authorization_codes.session_id AND s.ended_at IS NULL AND s.expires_at > $2)`

const redeemPostgres = `
WITH redeemed AS (` + consumeCode + ` RETURNING grant_id)
INSERT INTO grants (` + grantColumns + `)
SELECT grant_id, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::boolean, $11::timestamptz, $12::timestamptz FROM redeemed`

// Redeem consumes a code and stores its grant in one step: of any number of
// callers exactly one succeeds. The others hear grants.ErrConsumed, ErrExpired,
// ErrRevoked (the session has ended) or ErrNotFound. expiresAt is when the
// grant's last token expires.
func (s *ForToken) Redeem(ctx context.Context, codeHash []byte, g grants.Grant, expiresAt, now time.Time) error {
	var redeemed int64
	var err error
	if s.db.Dialect() == database.Postgres {
		redeemed, err = s.db.Exec(ctx, "authorization_codes.redeem", redeemPostgres, codeHash, database.At(now), g.ID,
			g.ClientID, g.UserID, g.TenantID, g.SessionID, g.Scope.String(), g.Resource, g.Offline, database.At(g.CreatedAt), database.At(expiresAt))
	} else {
		redeemed, err = s.consumeAndInsert(ctx, "authorization_codes.redeem", consumeCode, codeHash, g, expiresAt, now)
	}
	if err != nil || redeemed == 1 {
		return err
	}
	r, err := s.Redeemable(ctx, codeHash, now)
	switch {
	case err != nil:
		return err
	case !r.ConsumedAt.IsZero():
		return grants.ErrConsumed
	case !now.Before(r.ExpiresAt):
		return grants.ErrExpired
	case !r.SessionLive:
		return grants.ErrRevoked
	default:
		return grants.ErrNotFound
	}
}

// consumeAndInsert is SQLite's way: consume names the hash, now and the grant's
// id as $1, $2 and $3.
func (s *ForToken) consumeAndInsert(ctx context.Context, name, consume string, codeHash []byte, g grants.Grant, expiresAt, now time.Time) (consumed int64, err error) {
	err = s.db.Tx(ctx, name, func(tx *database.Tx) error {
		var err error
		consumed, err = tx.Exec(ctx, name, consume, codeHash, database.At(now), g.ID)
		if err != nil || consumed == 0 {
			return err
		}
		_, err = tx.Exec(ctx, "grants.insert", insertGrant, g.ID, g.ClientID, g.UserID, g.TenantID, g.SessionID,
			g.Scope.String(), g.Resource, g.Offline, database.At(g.CreatedAt), database.At(expiresAt))
		return err
	})
	return consumed, err
}

const grantColumns = `id, client_id, user_id, tenant_id, session_id, scope, resource, offline, created_at, expires_at`

const insertGrant = `
INSERT INTO grants (` + grantColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

// RevokeGrant ends a grant and with it every token of it. Ending it again, or
// one that does not exist, is no error.
func (s *ForToken) RevokeGrant(ctx context.Context, grantID string, now time.Time) error {
	const revoke = `UPDATE grants SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`
	_, err := s.db.Exec(ctx, "grants.revoke", revoke, database.At(now), grantID)
	return err
}

const selectStanding = `
SELECT c.id, c.client_id, c.user_id, c.tenant_id, c.session_id, c.scope, c.resource, c.offline, c.created_at, c.revoked_at,` +
	whoColumns + `,` + sessionColumn + `
FROM grants c` + whoJoins + sessionJoin + `
WHERE c.id = $1`

type standingRow struct {
	ID        string        `db:"id"`
	ClientID  string        `db:"client_id"`
	UserID    string        `db:"user_id"`
	TenantID  string        `db:"tenant_id"`
	SessionID string        `db:"session_id"`
	Scope     string        `db:"scope"`
	Resource  string        `db:"resource"`
	Offline   bool          `db:"offline"`
	CreatedAt database.Time `db:"created_at"`
	RevokedAt database.Time `db:"revoked_at"`
	who
	SessionLive bool `db:"session_live"`
}

// Standing reads a grant with the person, tenant and session behind it;
// grants.ErrNotFound.
func (s *ForToken) Standing(ctx context.Context, grantID string, now time.Time) (*grants.Standing, error) {
	var row standingRow
	if err := s.db.Get(ctx, "grants.standing", &row, selectStanding, grantID, database.At(now)); err != nil {
		return nil, notFound(err)
	}
	scope, _ := oauth.ParseScopes(row.Scope)
	return &grants.Standing{
		Grant: grants.Grant{
			ID: row.ID, ClientID: row.ClientID, UserID: row.UserID, TenantID: row.TenantID, SessionID: row.SessionID,
			Scope: scope, Resource: row.Resource, Offline: row.Offline, CreatedAt: row.CreatedAt.Time, RevokedAt: row.RevokedAt.Time,
		},
		User: row.user(row.UserID), Tenant: row.tenant(row.TenantID), Member: row.Member, SessionLive: row.SessionLive,
	}, nil
}

// DeleteExpired removes at most batch grants whose last token has expired, and
// says how many.
func (s *ForToken) DeleteExpired(ctx context.Context, now time.Time, batch int) (int, error) {
	return deleteBatch(ctx, s.db, "grants", "id", "expires_at <= $1", database.At(now), batch)
}
