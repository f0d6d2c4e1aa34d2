package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Remember adds scopes to a consent. It creates the row first, so that of two concurrent
// calls the second waits for it and adds to what the first has written.
func (s *Store) Remember(ctx context.Context, k sessions.ConsentKey, scopes oauth.Scopes, at time.Time) error {
	lock := ""
	if s.db.Dialect() == database.Postgres {
		lock = " FOR UPDATE"
	}

	return s.db.TxAgain(ctx, "consent.remember", func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, "consent.insert",
			`INSERT INTO consents (user_id, tenant_id, client_id, resource, scope, updated_at)
			VALUES ($1, $2, $3, $4, '', $5) ON CONFLICT (user_id, tenant_id, client_id, resource) DO NOTHING`,
			k.UserID, k.TenantID, k.ClientID, k.Resource, database.At(at))
		if err != nil {
			return err
		}

		var before string
		err = tx.Get(ctx, "consent.lock", &before,
			`SELECT scope FROM consents WHERE user_id = $1 AND tenant_id = $2 AND client_id = $3 AND resource = $4`+
				lock,
			k.UserID, k.TenantID, k.ClientID, k.Resource)
		if err != nil {
			return err
		}

		known, _ := oauth.ParseScopes(before)
		_, err = tx.Exec(ctx, "consent.update",
			`UPDATE consents SET scope = $1, updated_at = $2
			WHERE user_id = $3 AND tenant_id = $4 AND client_id = $5 AND resource = $6`,
			known.Union(scopes).String(), database.At(at), k.UserID, k.TenantID, k.ClientID, k.Resource)
		return err
	})
}
