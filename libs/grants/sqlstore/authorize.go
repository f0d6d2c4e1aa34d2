package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
)

// ForAuthorize is the authorize service's store of flows and codes.
type ForAuthorize struct {
	db *database.DB
	sealing
}

// NewForAuthorize returns the authorize service's store.
func NewForAuthorize(db *database.DB) *ForAuthorize { return &ForAuthorize{db: db} }

// Sealing returns the store with the given sealer for flows. Without a sealer every flow needs a
// row.
func (s *ForAuthorize) Sealing(sealer *sealed.Sealer) *ForAuthorize {
	return &ForAuthorize{db: s.db, sealing: sealing{sealer}}
}

const codeColumns = `code_hash, request_id, client_id, redirect_uri, code_challenge, scope, nonce, resource, grant_id, offline,
       user_id, tenant_id, session_id, auth_time, acr, amr, created_at, expires_at, trace_parent, session_proof`

const insertCode = `
INSERT INTO authorization_codes (` + codeColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`

// A request yields a code only for the session that answered it.
const consumeForCode = `
UPDATE authorization_requests SET consumed_at = $1
WHERE id = $2 AND session_id = $3 AND kind = 'authorize' AND decision IN ('signed_in', 'consented')
  AND consumed_at IS NULL AND expires_at > $1`

const issueFromRequestPostgres = `
WITH consumed AS (` + consumeForCode + ` RETURNING id)
INSERT INTO authorization_codes (` + codeColumns + `)
SELECT $4::bytea, id, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::boolean,
       $13::text, $14::text, $3, $15::timestamptz, $16::text, $17::jsonb, $18::timestamptz, $19::timestamptz, $20::text, $21::bytea FROM consumed`

// InsertFlow stores a flow that waits for a person.
func (s *ForAuthorize) InsertFlow(ctx context.Context, f *grants.Flow) error {
	return putFlow(ctx, s.db, f)
}

// Flow returns a flow in any state, by its id or by the token that it is sealed in, or
// grants.ErrNotFound.
func (s *ForAuthorize) Flow(ctx context.Context, handle string) (*grants.Flow, error) {
	return s.find(ctx, s.db, handle)
}

// Issue stores a code for a request that a session answered at once, without a flow. It returns
// grants.ErrUnproven if c.SessionProof is the hash of none of the session's cookies.
func (s *ForAuthorize) Issue(ctx context.Context, c *grants.AuthorizationCode) error {
	_, err := s.db.Exec(ctx, "authorization_codes.insert", insertCode, codeArgs(ctx, c)...)
	return unproven(ctx, err)
}

// unproven turns the refusal of a row that names a session into grants.ErrUnproven.
func unproven(ctx context.Context, err error) error {
	if database.Classify(ctx, err) == database.KindRefused {
		return fmt.Errorf("%w: %w", grants.ErrUnproven, err)
	}
	return err
}

func codeArgs(ctx context.Context, c *grants.AuthorizationCode) []any {
	var request *string
	if c.RequestID != "" {
		request = &c.RequestID
	}

	return []any{
		c.Hash, request, c.ClientID, c.RedirectURI, c.CodeChallenge, c.Scope.String(), c.Nonce,
		c.Resource, c.GrantID, c.Offline,
		c.UserID, c.TenantID, c.SessionID, database.At(c.AuthTime), c.ACR,
		database.JSON[[]string]{V: c.AMR},
		database.At(c.CreatedAt), database.At(c.ExpiresAt), madeIn(ctx), c.SessionProof,
	}
}

// IssueFromRequest consumes a decided flow and stores its code in one step. Of any number of
// callers exactly one succeeds. The others get grants.ErrConsumed, ErrExpired, or ErrNotFound
// if that session answered no flow with that id. Like Issue it returns grants.ErrUnproven, and
// then leaves the flow as it is.
func (s *ForAuthorize) IssueFromRequest(ctx context.Context, c *grants.AuthorizationCode, now time.Time) error {
	var issued int64
	var err error
	if s.db.Dialect() == database.Postgres {
		issued, err = s.db.Exec(ctx, "authorization_codes.issue", issueFromRequestPostgres, database.At(now),
			c.RequestID, c.SessionID,
			c.Hash, c.ClientID, c.RedirectURI, c.CodeChallenge, c.Scope.String(), c.Nonce,
			c.Resource, c.GrantID, c.Offline,
			c.UserID, c.TenantID, database.At(c.AuthTime), c.ACR, database.JSON[[]string]{V: c.AMR},
			database.At(c.CreatedAt), database.At(c.ExpiresAt),
			madeIn(ctx), c.SessionProof)
	} else {
		err = s.db.Tx(ctx, "authorization_codes.issue", func(tx *database.Tx) error {
			var err error
			issued, err = tx.Exec(ctx, "authorization_requests.consume", consumeForCode, database.At(now),
				c.RequestID, c.SessionID)
			if err != nil || issued == 0 {
				return err
			}

			_, err = tx.Exec(ctx, "authorization_codes.insert", insertCode, codeArgs(ctx, c)...)
			return err
		})
	}

	if err != nil || issued == 1 {
		return unproven(ctx, err)
	}

	return whyNot(ctx, s.db, c.RequestID, now, grants.ErrNotFound)
}

// Consume ends a flow without a code. Of any number of callers exactly one succeeds; the
// others get grants.ErrConsumed, ErrExpired or ErrNotFound.
func (s *ForAuthorize) Consume(ctx context.Context, requestID string, now time.Time) error {
	const consume = `UPDATE authorization_requests SET consumed_at = $1 WHERE id = $2 AND consumed_at IS NULL AND expires_at > $1`
	n, err := s.db.Exec(ctx, "authorization_requests.consume", consume, database.At(now), requestID)
	if err != nil || n == 1 {
		return err
	}
	return whyNot(ctx, s.db, requestID, now, grants.ErrNotFound)
}

// DeleteExpired removes at most batch requests and batch codes that are over, and returns how
// many it removed. Codes are kept for keepCodes after their expiry, since a replay of a
// consumed code must still find the grant it produced (RFC 6749 4.1.2). Requests stay for
// grants.KeepFlows.
func (s *ForAuthorize) DeleteExpired(
	ctx context.Context, now time.Time, keepCodes time.Duration, batch int,
) (int, error) {
	requests, err := s.db.DeleteDue(ctx, "authorization_requests", "id", "expires_at <= $1",
		now.Add(-grants.KeepFlows), batch)
	if err != nil {
		return requests, err
	}
	codes, err := s.db.DeleteDue(ctx, "authorization_codes", "code_hash", "expires_at <= $1",
		now.Add(-keepCodes), batch)
	return requests + codes, err
}
