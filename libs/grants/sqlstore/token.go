package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// ForToken is the token service's store of codes and grants.
type ForToken struct{ db *database.DB }

// NewForToken returns the token service's store.
func NewForToken(db *database.DB) *ForToken { return &ForToken{db} }

var selectRedeemable = `
SELECT COALESCE(c.request_id, '') AS request_id, c.client_id, c.redirect_uri, c.code_challenge, c.scope, c.nonce, c.resource,
       c.grant_id, c.offline, c.user_id, c.tenant_id, c.session_id, c.auth_time, c.acr, c.amr, c.created_at, c.expires_at,
       c.consumed_at, c.trace_parent,` + whoColumns + `,` + signedInColumn + `
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
	TraceParent   string                  `db:"trace_parent"`
	who
	SessionLive bool `db:"session_live"`
}

// Redeemable returns a code by its SHA-256, in any state, with its person, tenant and session,
// or grants.ErrNotFound.
func (s *ForToken) Redeemable(ctx context.Context, codeHash []byte, now time.Time) (*grants.Redeemable, error) {
	var row redeemableRow
	if err := s.db.Get(ctx, "authorization_codes.find", &row, selectRedeemable, codeHash,
		database.At(now)); err != nil {
		return nil, notFound(err)
	}

	linkToMaker(ctx, "authorization_codes", row.TraceParent)
	scope, _ := oauth.ParseScopes(row.Scope)
	return &grants.Redeemable{
		AuthorizationCode: grants.AuthorizationCode{
			Hash:          codeHash,
			RequestID:     row.RequestID,
			ClientID:      row.ClientID,
			RedirectURI:   row.RedirectURI,
			CodeChallenge: row.CodeChallenge,
			Scope:         scope,
			Nonce:         row.Nonce,
			Resource:      row.Resource,
			GrantID:       row.GrantID,
			Offline:       row.Offline,
			UserID:        row.UserID,
			TenantID:      row.TenantID,
			SessionID:     row.SessionID,
			AuthTime:      row.AuthTime.Time,
			ACR:           row.ACR,
			AMR:           row.AMR.V,
			CreatedAt:     row.CreatedAt.Time,
			ExpiresAt:     row.ExpiresAt.Time,
			ConsumedAt:    row.ConsumedAt.Time,
		},
		User:        row.user(row.UserID),
		Tenant:      row.tenant(row.TenantID),
		Behind:      row.behind(),
		SessionLive: row.SessionLive,
	}, nil
}

// A code isn't redeemed if its session ended after it was read, or if its person, tenant or
// application may no longer continue.
var consumeCode = `
UPDATE authorization_codes AS c SET consumed_at = $2
WHERE code_hash = $1 AND grant_id = $3 AND consumed_at IS NULL AND expires_at > $2` + behindCode + `
  AND ` + directorystore.Stands("c")

// Redeem consumes a code and stores its grant, with the first refresh token if refresh isn't
// nil, in one step. Of any number of callers exactly one succeeds. The others get
// grants.ErrConsumed, ErrExpired, ErrRevoked (the session has ended) or ErrNotFound. expiresAt
// is when the grant's last token expires.
func (s *ForToken) Redeem(
	ctx context.Context, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken, expiresAt, now time.Time,
) error {
	redeemed, err := s.consumeAndInsert(ctx, "authorization_codes.redeem", consumeCode, codeHash,
		g, refresh, expiresAt, now)
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
	case !r.Live():
		return grants.ErrRevoked
	default:
		return grants.ErrNotFound
	}
}

const grantColumns = `id, client_id, user_id, tenant_id, session_id, scope, resource, offline, auth_time, acr, amr, created_at, expires_at`

// The row stays at least until its session's absolute expiry, because the grants of a session
// determine which applications are told of its logout.
const insertGrant = `
INSERT INTO grants (` + grantColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
  max($13, COALESCE((SELECT s.expires_at FROM sessions s WHERE s.id = $5), $13)))`

// The statement that consumes a code precedes this one. A refresh token is stored if $16 isn't
// NULL.
const insertRedeemedPostgres = ` RETURNING grant_id),
refresh AS (INSERT INTO refresh_tokens (` + refreshColumns + `)
  SELECT $16::bytea, grant_id, $4::text, $17::text, $18::timestamptz, $19::timestamptz, $20::timestamptz FROM redeemed WHERE $16::bytea IS NOT NULL)
INSERT INTO grants (` + grantColumns + `)
SELECT grant_id, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::boolean, $11::timestamptz, $12::text, $13::jsonb,
       $14::timestamptz, GREATEST($15::timestamptz, (SELECT s.expires_at FROM sessions s WHERE s.id = $7::text)) FROM redeemed`

// grantArgs returns the values of grantColumns.
func grantArgs(g grants.Grant, expiresAt time.Time) []any {
	return []any{
		g.ID, g.ClientID, g.UserID, g.TenantID, g.SessionID, g.Scope.String(), g.Resource, g.Offline,
		database.At(g.AuthTime), g.ACR,
		database.JSON[[]string]{V: g.AMR},
		database.At(g.CreatedAt), database.At(expiresAt),
	}
}

// consumeAndInsert runs consume, whose $1, $2 and $3 are the hash, now and the grant's id. If
// consume touched a row, it stores the grant and its refresh token. This is one statement on
// PostgreSQL and one transaction on SQLite.
func (s *ForToken) consumeAndInsert(
	ctx context.Context, name, consume string, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken,
	expiresAt, now time.Time,
) (consumed int64, err error) {
	if s.db.Dialect() == database.Postgres {
		first := refresh
		if first == nil {
			first = &grants.RefreshToken{}
		}

		args := append([]any{codeHash, database.At(now)}, grantArgs(g, expiresAt)...)
		return s.db.Exec(ctx, name, `WITH redeemed AS (`+consume+insertRedeemedPostgres, append(args, first.Hash,
			first.Scope.String(), database.At(first.CreatedAt), database.At(first.ExpiresAt),
			database.At(first.AbsoluteExpiresAt))...)
	}

	err = s.db.Tx(ctx, name, func(tx *database.Tx) error {
		var err error
		consumed, err = tx.Exec(ctx, name, consume, codeHash, database.At(now), g.ID)
		if err != nil || consumed == 0 {
			return err
		}
		if _, err = tx.Exec(ctx, "grants.insert", insertGrant, grantArgs(g, expiresAt)...); err != nil ||
			refresh == nil {
			return err
		}
		return insertRefresh(ctx, tx, refresh)
	})

	return consumed, err
}

// RevokeGrant ends a grant, and with it all its tokens, and reports whether this call ended it.
// A grant that has ended already or doesn't exist isn't an error.
func (s *ForToken) RevokeGrant(ctx context.Context, grantID string, now time.Time) (ended bool, err error) {
	const revoke = `UPDATE grants SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`
	n, err := s.db.Exec(ctx, "grants.revoke", revoke, database.At(now), grantID)
	return n == 1, err
}

// standingColumns reads a grant with alias c and its person, tenant and session; $2 is now.
var standingColumns = `c.id, c.client_id, c.user_id, c.tenant_id, c.session_id, c.scope, c.resource, c.offline, c.auth_time, c.acr, c.amr,
       c.created_at, c.revoked_at,` + whoColumns + `,` + sessionColumn

// selectStanding lacks the list of tokens that may be revoked, which is inserted between its
// parts.
var selectStanding = `
SELECT ` + standingColumns + `, EXISTS (SELECT 1 FROM revoked_tokens v WHERE v.jti IN `

var selectStandingOf = `) AS token_revoked
FROM grants c` + whoJoins + sessionJoin + `
WHERE c.id = $1`

type standingRow struct {
	ID        string                  `db:"id"`
	ClientID  string                  `db:"client_id"`
	UserID    string                  `db:"user_id"`
	TenantID  string                  `db:"tenant_id"`
	SessionID string                  `db:"session_id"`
	Scope     string                  `db:"scope"`
	Resource  string                  `db:"resource"`
	Offline   bool                    `db:"offline"`
	AuthTime  database.Time           `db:"auth_time"`
	ACR       string                  `db:"acr"`
	AMR       database.JSON[[]string] `db:"amr"`
	CreatedAt database.Time           `db:"created_at"`
	RevokedAt database.Time           `db:"revoked_at"`
	who
	SessionLive  bool `db:"session_live"`
	TokenRevoked bool `db:"token_revoked"`
}

func (row *standingRow) standing() grants.Standing {
	scope, _ := oauth.ParseScopes(row.Scope)
	return grants.Standing{
		Grant: grants.Grant{
			ID:        row.ID,
			ClientID:  row.ClientID,
			UserID:    row.UserID,
			TenantID:  row.TenantID,
			SessionID: row.SessionID,
			Scope:     scope,
			Resource:  row.Resource,
			Offline:   row.Offline,
			AuthTime:  row.AuthTime.Time,
			ACR:       row.ACR,
			AMR:       row.AMR.V,
			CreatedAt: row.CreatedAt.Time,
			RevokedAt: row.RevokedAt.Time,
		},
		User:         row.user(row.UserID),
		Tenant:       row.tenant(row.TenantID),
		Behind:       row.behind(),
		SessionLive:  row.SessionLive,
		TokenRevoked: row.TokenRevoked,
	}
}

// Standing reads a grant with its person, tenant and session, and whether one of the access
// tokens jtis was itself revoked. It returns grants.ErrNotFound if there is no such grant.
func (s *ForToken) Standing(
	ctx context.Context, grantID string, jtis []string, now time.Time,
) (*grants.Standing, error) {
	in, ids := listed(jtis, 2)
	args := append([]any{grantID, database.At(now)}, ids...)
	var row standingRow
	if err := s.db.Get(ctx, "grants.standing", &row, selectStanding+in+selectStandingOf, args...); err != nil {
		return nil, notFound(err)
	}

	standing := row.standing()
	return &standing, nil
}

// DeleteExpired removes what no token needs any more, at most batch of each: grants whose last
// token has expired, refresh tokens, and revocations of access tokens that have expired. It
// also erases the seals whose grace period has passed. It returns how many rows it touched.
func (s *ForToken) DeleteExpired(ctx context.Context, now time.Time, batch int) (int, error) {
	total := 0
	for table, key := range map[string]string{"grants": "id", "refresh_tokens": "token_hash", "revoked_tokens": "jti"} {
		n, err := s.db.DeleteDue(ctx, table, key, "expires_at <= $1", now, batch)
		total += n
		if err != nil {
			return total, err
		}
	}

	n, err := s.eraseSeals(ctx, now, batch)
	return total + n, err
}
