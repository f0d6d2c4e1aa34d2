package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
)

// A session ends once, so the id is free. Which applications hear of it follows
// from its grants, offline and revoked ones included: whoever was given a token of
// the session may keep a session of its own.
const queueNotices = `
INSERT INTO logout_outbox (id, client_id, uri, user_id, session_id, created_at, next_attempt_at)
SELECT s.id || ':' || a.client_id, a.client_id, a.backchannel_logout_uri, s.user_id, s.id, s.ended_at, s.ended_at
FROM sessions s JOIN applications a ON a.client_id IN (SELECT g.client_id FROM grants g WHERE g.session_id = s.id)
WHERE s.id = $1 AND a.backchannel_logout_uri <> '' AND a.disabled_at IS NULL`

// A code that is being redeemed holds its row until its grant is there: this waits
// for it, and the statements behind it see the grant. One whose redemption comes
// later finds a row that has expired. So of a code and the end of its session
// either the code is worth nothing, or its application hears of the logout. (What
// is left is a code that is both issued and redeemed while these few statements
// run: its tokens are dead all the same, for they ask for the session.) The
// condition on the time is what finds the rows by an index: codes live for a
// minute. A clock that lags must not bring the code back, hence its own beginning.
const expireCodes = `
UPDATE authorization_codes SET expires_at = created_at
WHERE session_id = $1 AND consumed_at IS NULL AND expires_at > $2`

// End ends a session, lets the codes that it gave expire and revokes its online
// grants, and leaves a notice in
// logout_outbox for each application that had a token of it and wants to hear of
// logouts (OpenID Connect Back-Channel Logout 1.0 2.5). In one transaction, so
// that none of it happens alone. Every way of ending a session is this one; false
// when it had ended, or never was: then nothing changes and the first end stands.
func End(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) (bool, error) {
	n, err := tx.Exec(ctx, "sessions.end", `UPDATE sessions SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL`, database.At(at), sessionID)
	if err != nil || n == 0 {
		return false, err
	}
	if _, err := tx.Exec(ctx, "authorization_codes.expire", expireCodes, sessionID, database.At(at)); err != nil {
		return false, err
	}
	if _, err := grantstore.NewForSession(tx).RevokeSessionGrants(ctx, sessionID, at); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, "logout_outbox.queue", queueNotices, sessionID)
	return err == nil, err
}
