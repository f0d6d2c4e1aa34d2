package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Which applications hear of the end of a session follows from its grants, offline
// and revoked ones included: an application that was given a token of the session may
// keep a session of its own. A disabled application hears of what ends with its
// disabling, and of nothing that ends later. A notice that waits already is enough.
const queueNotices = `
INSERT INTO logout_outbox (id, client_id, uri, user_id, session_id, created_at, next_attempt_at)
SELECT s.id || ':' || a.client_id, a.client_id, a.backchannel_logout_uri, s.user_id, s.id, s.ended_at, s.ended_at
FROM sessions s JOIN applications a ON a.client_id IN (SELECT g.client_id FROM grants g WHERE g.session_id = s.id
  AND (a.disabled_at IS NULL OR g.revoked_at IS NULL OR g.revoked_at >= a.disabled_at))
WHERE a.backchannel_logout_uri <> '' AND s.id `

// A code that is being redeemed holds its row until its grant is there: this waits
// for it, and the statements behind it see the grant. One whose redemption comes
// later finds a row that has expired. So of a code and the end of its session
// either the code is worth nothing, or its application hears of the logout. (What
// is left is a code that is both issued and redeemed while these few statements
// run: its tokens are dead all the same, for they ask for the session.) The
// condition on the time is what finds the rows by an index: codes live for a
// minute. A clock that lags must not bring the code back, hence its own beginning.
const expireCodes = `
UPDATE authorization_codes SET expires_at = created_at WHERE consumed_at IS NULL AND expires_at > $1 AND session_id `

// Ended counts what ended.
type Ended struct {
	Sessions int
	Notices  int // back-channel logouts that were queued
}

// End ends a session as EndAll does, and reports whether it was this call that did.
func End(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) (bool, error) {
	ended, err := EndAll(ctx, tx, []string{sessionID}, at)
	return ended.Sessions == 1, err
}

// EndAll ends sessions, lets the codes that they gave expire, revokes their online
// grants, and leaves a notice in logout_outbox for each application that had a token
// of one and wants to hear of logouts (OpenID Connect Back-Channel Logout 1.0 2.5). It
// works within one transaction, so that none of it happens alone. Every way of ending
// a session is this one. A session that had ended, or never was, stays as it is: the
// first end stands.
func EndAll(ctx context.Context, tx *database.Tx, ids []string, at time.Time) (Ended, error) {
	if len(ids) == 0 {
		return Ended{}, nil
	}

	in, args := database.In(2, ids)
	args = append([]any{database.At(at)}, args...)
	var ended []string
	err := tx.Select(ctx, "sessions.end", &ended,
		`UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL AND id `+in+` RETURNING id`, args...)
	if err != nil || len(ended) == 0 {
		return Ended{}, err
	}

	in, args = database.In(2, ended)
	args = append([]any{database.At(at)}, args...)
	if _, err := tx.Exec(ctx, "authorization_codes.expire", expireCodes+in, args...); err != nil {
		return Ended{}, err
	}

	const revoke = `UPDATE grants SET revoked_at = $1 WHERE NOT offline AND revoked_at IS NULL AND session_id `
	if _, err := tx.Exec(ctx, "grants.revoke_session", revoke+in, args...); err != nil {
		return Ended{}, err
	}

	in, args = database.In(1, ended)
	queued, err := tx.Exec(ctx, "logout_outbox.queue", queueNotices+in+` ON CONFLICT DO NOTHING`, args...)
	return Ended{Sessions: len(ended), Notices: int(queued)}, err
}
