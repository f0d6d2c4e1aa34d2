package ending

import (
	"context"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Withdrawal says what a person withdraws: what they allowed an application in a tenant. All
// fields are required.
type Withdrawal struct {
	UserID   string
	TenantID string
	ClientID string
}

// denied refuses the requests that the person allowed on the consent page and that have no code
// yet, so that the application hears of it (RFC 6749 4.1.2.1, access_denied).
const denied = `
UPDATE authorization_requests SET decision = 'denied', decided_at = $1
WHERE client_id = $2 AND tenant_id = $3 AND decision = 'consented' AND consumed_at IS NULL AND expires_at > $1
  AND session_id IN (SELECT s.id FROM sessions s WHERE s.user_id = $4)`

// WithdrawTx ends an application's access to a person in a tenant within tx: its pending
// requests are denied, its codes and approved device codes expire, its grants are revoked,
// offline ones too, and if it wants to be told of logouts, notices are queued. The person's
// sessions go on. Codes come before grants, for the reason given at rows. The one exception is
// a code that is issued while these few statements run.
func WithdrawTx(ctx context.Context, tx *database.Tx, w Withdrawal, at time.Time) (Ended, error) {
	if w.UserID == "" || w.TenantID == "" || w.ClientID == "" {
		return Ended{}, errors.New("ending: a withdrawal names a person, a tenant and an application")
	}

	requests, err := tx.Exec(ctx, "authorization_requests.deny", denied, database.At(at), w.ClientID, w.TenantID,
		w.UserID)
	if err != nil {
		return Ended{}, err
	}

	ended := Ended{Pending: int(requests)}
	whose := scope{UserID: w.UserID, TenantID: w.TenantID, ClientID: w.ClientID}
	condition, args := whose.where(2)
	args = append([]any{database.At(at)}, args...)
	for _, table := range []string{"authorization_codes", "device_codes"} {
		n, err := tx.Exec(ctx, table+".withdraw", `UPDATE `+table+` AS x SET expires_at = x.created_at WHERE `+condition+
			` AND x.consumed_at IS NULL AND x.expires_at > $1`, args...)
		if err != nil {
			return ended, err
		}
		ended.Pending += int(n)
	}

	condition, args = whose.where(1)
	var ids []string
	err = tx.Select(ctx, "grants.of_withdrawal", &ids,
		`SELECT x.id FROM grants x WHERE `+condition+` AND x.revoked_at IS NULL ORDER BY x.id`, args...)
	if err != nil {
		return ended, err
	}

	ended.Grants, ended.Notices, err = revoke(ctx, tx, ids, at)
	return ended, err
}
