package admin

import (
	"context"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
)

// Unlocked is the action of clearing a person's count of wrong passwords.
const Unlocked = "unlocked"

// UnlockUser clears the wrong passwords counted for a person: from strangers, from each
// address, and from the person's own browsers. What an address did to other accounts stays
// counted. secret is the key under which the services count.
func (d Desk) UnlockUser(ctx context.Context, emailOrID string, secret []byte) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		user, err := User(ctx, &w.Reader, emailOrID)
		if err != nil {
			return err
		}

		keys := limits.AccountKeys(secret, user.Email)
		forgotten, err := limitstore.Forget(ctx, w.Tx(), limits.Account(secret, user.Email), keys[:]...)
		if err != nil {
			return err
		}

		if forgotten == 0 {
			w.report.Unchanged++
			return nil
		}

		c := manifest.Change{Action: Unlocked, Kind: "user", Name: user.Email}
		return w.changed(ctx, c, audit.Event{UserID: user.ID})
	})
}
