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

// End ends a session and revokes its online grants, and leaves a notice in
// logout_outbox for each application that had a token of it and wants to hear of
// logouts (OpenID Connect Back-Channel Logout 1.0 2.5). In one transaction, so
// that none of it happens alone. Every way of ending a session is this one; false
// when it had ended, or never was: then nothing changes and the first end stands.
func End(ctx context.Context, tx *database.Tx, sessionID string, at time.Time) (bool, error) {
	n, err := tx.Exec(ctx, "sessions.end", `UPDATE sessions SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL`, database.At(at), sessionID)
	if err != nil || n == 0 {
		return false, err
	}
	if _, err := grantstore.NewForSession(tx).RevokeSessionGrants(ctx, sessionID, at); err != nil {
		return false, err
	}
	_, err = tx.Exec(ctx, "logout_outbox.queue", queueNotices, sessionID)
	return err == nil, err
}
