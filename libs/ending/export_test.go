package ending

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// End ends access of any scope in one call, as a command does with [Mark] and [Finish].
func End(ctx context.Context, db *database.DB, a Access, at time.Time) (Ended, error) {
	err := db.TxAgain(ctx, "ending.mark", func(tx *database.Tx) error { return Mark(ctx, tx, a) })
	if err != nil {
		return Ended{}, err
	}
	return finish(ctx, db, scope{UserID: a.UserID, TenantID: a.TenantID, ClientID: a.ClientID}, at)
}
