package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// The grants of a session, including offline and revoked ones, determine which applications are
// told of its end: an application that was given a token of the session may keep a session of
// its own. A disabled application is told of sessions that end when it is disabled, but of none
// that end later. If a notice is already waiting, no second one is queued.
const queueNotices = `
INSERT INTO logout_outbox (id, client_id, uri, user_id, session_id, created_at, next_attempt_at)
SELECT s.id || ':' || a.client_id, a.client_id, a.backchannel_logout_uri, s.user_id, s.id, s.ended_at, s.ended_at
FROM sessions s JOIN applications a ON a.client_id IN (SELECT g.client_id FROM grants g WHERE g.session_id = s.id
  AND (a.disabled_at IS NULL OR g.revoked_at IS NULL OR g.revoked_at >= a.disabled_at))
WHERE a.backchannel_logout_uri <> '' AND s.id `

// A code that is being redeemed locks its row until its grant exists. This statement waits for
// it, and the statements after it see the grant. A code redeemed later finds an expired row. So
// when a session ends, either its code is worthless or the application is told of the logout.
// The one exception is a code that is both issued and redeemed while these few statements run;
// its tokens are dead all the same, because they check the session.
//
// The condition on the time lets an index find the rows, since codes live for a minute. A clock
// that lags must not revive the code, so the row's creation time is the lower limit.
const expireCodes = `
UPDATE authorization_codes SET expires_at = created_at WHERE consumed_at IS NULL AND expires_at > $1 AND session_id `

// Ended counts the rows that ended.
type Ended struct {
	Sessions int
	Notices  int // back-channel logouts queued
}

// End ends a session as EndAll does, and reports whether this call ended it.
func End(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) (bool, error) {
	ended, err := EndAll(ctx, tx, []string{sessionID}, at)
	return ended.Sessions == 1, err
}

// EndAll ends sessions, makes the codes issued for them expire, revokes their online grants,
// and queues a notice in logout_outbox for each application that had a token of one and wants
// to be told of logouts (OpenID Connect Back-Channel Logout 1.0 2.5). All of it happens in one
// transaction. Every way of ending a session goes through EndAll. A session that has already
// ended or doesn't exist is left alone: the first end stands.
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
