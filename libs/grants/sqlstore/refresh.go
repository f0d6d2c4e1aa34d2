package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

const refreshColumns = `token_hash, grant_id, client_id, scope, created_at, expires_at, absolute_expires_at`

func insertRefresh(ctx context.Context, tx *database.Tx, r *grants.RefreshToken) error {
	const insert = `INSERT INTO refresh_tokens (` + refreshColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	_, err := tx.Exec(ctx, "refresh_tokens.insert", insert, r.Hash, r.GrantID, r.ClientID, r.Scope.String(),
		database.At(r.CreatedAt), database.At(r.ExpiresAt), database.At(r.AbsoluteExpiresAt))
	return err
}

var selectRefreshable = `
SELECT ` + standingColumns + `, false AS token_revoked,
       r.client_id AS refresh_client, r.scope AS refresh_scope, r.created_at AS refresh_created_at, r.expires_at AS refresh_expires_at,
       r.absolute_expires_at, r.rotated_at, r.successor_seal, r.successor_hash,
       r.rotated_at IS NOT NULL AND (n.token_hash IS NULL OR n.rotated_at IS NOT NULL) AS successor_used
FROM refresh_tokens r
JOIN grants c ON c.id = r.grant_id
LEFT JOIN refresh_tokens n ON n.token_hash = r.successor_hash` + whoJoins + sessionJoin + `
WHERE r.token_hash = $1`

type refreshableRow struct {
	standingRow
	RefreshClient     string        `db:"refresh_client"`
	RefreshScope      string        `db:"refresh_scope"`
	RefreshCreatedAt  database.Time `db:"refresh_created_at"`
	RefreshExpiresAt  database.Time `db:"refresh_expires_at"`
	AbsoluteExpiresAt database.Time `db:"absolute_expires_at"`
	RotatedAt         database.Time `db:"rotated_at"`
	SuccessorSeal     []byte        `db:"successor_seal"`
	SuccessorHash     []byte        `db:"successor_hash"`
	SuccessorUsed     bool          `db:"successor_used"`
}

// Refreshable returns a refresh token by its SHA-256, in any state, with its grant and the
// grant's person, tenant and session, or grants.ErrNotFound.
func (s *ForToken) Refreshable(ctx context.Context, hash []byte, now time.Time) (*grants.Refreshable, error) {
	var row refreshableRow
	if err := s.db.Get(ctx, "refresh_tokens.find", &row, selectRefreshable, hash, database.At(now)); err != nil {
		return nil, notFound(err)
	}

	scope, _ := oauth.ParseScopes(row.RefreshScope)
	return &grants.Refreshable{
		RefreshToken: grants.RefreshToken{
			Hash:              hash,
			GrantID:           row.ID,
			ClientID:          row.RefreshClient,
			Scope:             scope,
			CreatedAt:         row.RefreshCreatedAt.Time,
			ExpiresAt:         row.RefreshExpiresAt.Time,
			AbsoluteExpiresAt: row.AbsoluteExpiresAt.Time,
			RotatedAt:         row.RotatedAt.Time,
			SuccessorSeal:     row.SuccessorSeal,
			SuccessorHash:     row.SuccessorHash,
		},
		Standing:      row.standing(),
		SuccessorUsed: row.SuccessorUsed,
	}, nil
}

// A token is rotated only while it and its grant are live, and an online grant's session too,
// and while the person, tenant and application may continue.
var rotateRefresh = `
UPDATE refresh_tokens SET rotated_at = $2, successor_seal = $3, successor_hash = $4
WHERE token_hash = $1 AND grant_id = $5 AND client_id = $6 AND rotated_at IS NULL AND expires_at > $2
  AND EXISTS (SELECT 1 FROM grants g WHERE g.id = refresh_tokens.grant_id AND g.revoked_at IS NULL
    AND (g.offline OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.session_id AND s.ended_at IS NULL AND s.expires_at > $2))
    AND ` + directorystore.Stands("g") + `)`

// The grant's own row comes last: the statement waits for a revocation in progress, and then
// changes and returns no row.
var rotatePostgres = `
WITH rotated AS (` + rotateRefresh + ` RETURNING grant_id, client_id, scope, absolute_expires_at),
successor AS (INSERT INTO refresh_tokens (` + refreshColumns + `)
  SELECT $4::bytea, grant_id, client_id, scope, $2::timestamptz, $7::timestamptz, absolute_expires_at FROM rotated)
UPDATE grants SET expires_at = GREATEST(grants.expires_at, $8::timestamptz) FROM rotated
WHERE grants.id = rotated.grant_id AND grants.revoked_at IS NULL`

const insertSuccessor = `
INSERT INTO refresh_tokens (` + refreshColumns + `)
SELECT successor_hash, grant_id, client_id, scope, rotated_at, $2, absolute_expires_at FROM refresh_tokens WHERE token_hash = $1`

const extendGrant = `UPDATE grants SET expires_at = max(expires_at, $2) WHERE id = $1`

// Rotate replaces a refresh token with its successor in one step, while its grant is live. Of
// any number of callers exactly one succeeds. The others get grants.ErrConsumed (already
// rotated), ErrExpired, ErrRevoked, or ErrNotFound for a token of another grant or client.
func (s *ForToken) Rotate(ctx context.Context, r *grants.Rotation, now time.Time) error {
	rotated, err := s.rotate(ctx, r, now)
	if err != nil || rotated == 1 {
		return err
	}

	found, err := s.Refreshable(ctx, r.OldHash, now)
	switch {
	case err != nil:
		return err
	case found.GrantID != r.GrantID || found.ClientID != r.ClientID:
		return grants.ErrNotFound
	case !found.Grant.RevokedAt.IsZero():
		return grants.ErrRevoked
	case !found.RotatedAt.IsZero():
		return grants.ErrConsumed
	case !now.Before(found.ExpiresAt):
		return grants.ErrExpired
	default:
		return grants.ErrRevoked
	}
}

func (s *ForToken) rotate(ctx context.Context, r *grants.Rotation, now time.Time) (rotated int64, err error) {
	const name = "refresh_tokens.rotate"
	old := []any{r.OldHash, database.At(now), r.Seal, r.NewHash, r.GrantID, r.ClientID}
	if s.db.Dialect() == database.Postgres {
		return s.db.Exec(ctx, name, rotatePostgres,
			append(old, database.At(r.ExpiresAt), database.At(r.GrantExpiresAt))...)
	}

	err = s.db.Tx(ctx, name, func(tx *database.Tx) error {
		var err error
		rotated, err = tx.Exec(ctx, name, rotateRefresh, old...)
		if err != nil || rotated == 0 {
			return err
		}
		if _, err = tx.Exec(ctx, "refresh_tokens.insert", insertSuccessor, r.OldHash,
			database.At(r.ExpiresAt)); err != nil {
			return err
		}

		_, err = tx.Exec(ctx, "grants.extend", extendGrant, r.GrantID, database.At(r.GrantExpiresAt))
		return err
	})

	return rotated, err
}

// Repeat allows a rotated token to be answered with its successor once more, while the grant is
// live and the successor unused, and keeps the grant until expiresAt for the access token
// issued with it. It returns grants.ErrConsumed if the successor was used or has expired, or if
// the grant has ended.
func (s *ForToken) Repeat(ctx context.Context, successorHash []byte, grantID string, expiresAt, now time.Time) error {
	repeat := `
UPDATE grants SET expires_at = CASE WHEN expires_at < $1 THEN $1 ELSE expires_at END
WHERE id = $2 AND revoked_at IS NULL AND ` + directorystore.Stands("grants") + `
  AND EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.token_hash = $3 AND r.grant_id = $2 AND r.rotated_at IS NULL AND r.expires_at > $4)`
	n, err := s.db.Exec(ctx, "refresh_tokens.repeat", repeat, database.At(expiresAt), grantID,
		successorHash, database.At(now))
	if err == nil && n == 0 {
		return grants.ErrConsumed
	}
	return err
}

// RevokeFamily ends the grant of a client's refresh token, whichever member of the family it is
// (RFC 7009 2.1). If this call ended the grant, it returns whom the grant was for. It returns
// nil for an unknown token, for another client's, and for a grant that had already ended.
func (s *ForToken) RevokeFamily(
	ctx context.Context, hash []byte, clientID string, now time.Time,
) (*grants.Grant, error) {
	const revoke = `
UPDATE grants SET revoked_at = $1
WHERE id = (SELECT grant_id FROM refresh_tokens WHERE token_hash = $2 AND client_id = $3) AND revoked_at IS NULL
RETURNING id, client_id, user_id, tenant_id, session_id`
	var row struct {
		ID        string `db:"id"`
		ClientID  string `db:"client_id"`
		UserID    string `db:"user_id"`
		TenantID  string `db:"tenant_id"`
		SessionID string `db:"session_id"`
	}

	err := s.db.Returning(ctx, "grants.revoke_family", &row, revoke, database.At(now), hash, clientID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}

	return &grants.Grant{
		ID:        row.ID,
		ClientID:  row.ClientID,
		UserID:    row.UserID,
		TenantID:  row.TenantID,
		SessionID: row.SessionID,
		RevokedAt: now,
	}, nil
}

// RevokeToken records that one access token is revoked, until the token would have expired
// anyway. Revoking it again isn't an error.
func (s *ForToken) RevokeToken(ctx context.Context, jti string, expiresAt time.Time) error {
	const revoke = `INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING`
	_, err := s.db.Exec(ctx, "revoked_tokens.insert", revoke, jti, database.At(expiresAt))
	return err
}

// TokenRevoked reports whether any of the access tokens jtis was itself revoked. It is for
// tokens without a grant; Standing reports it for the others.
func (s *ForToken) TokenRevoked(ctx context.Context, jtis ...string) (revoked bool, err error) {
	in, args := listed(jtis, 0)
	err = s.db.Get(ctx, "revoked_tokens.find", &revoked,
		`SELECT EXISTS (SELECT 1 FROM revoked_tokens v WHERE v.jti IN `+in+`)`, args...)
	return revoked, err
}

// listed returns an IN list for values, whose first placeholder is the one after last.
func listed(values []string, last int) (in string, args []any) {
	if len(values) == 0 {
		return "(NULL)", nil
	}

	places := make([]string, len(values))
	for i, value := range values {
		places[i] = "$" + strconv.Itoa(last+i+1)
		args = append(args, value)
	}
	return "(" + strings.Join(places, ", ") + ")", args
}

// eraseSeals removes the sealed successors from at most batch rows whose grace period has
// passed.
func (s *ForToken) eraseSeals(ctx context.Context, now time.Time, batch int) (int, error) {
	erase := `UPDATE refresh_tokens SET successor_seal = NULL
WHERE token_hash ` + s.db.Due("refresh_tokens", "token_hash", "rotated_at <= $1 AND successor_seal IS NOT NULL")
	n, err := s.db.Exec(ctx, "refresh_tokens.erase", erase, database.At(now.Add(-grants.MaxRefreshGrace)), batch)
	return int(n), err
}
