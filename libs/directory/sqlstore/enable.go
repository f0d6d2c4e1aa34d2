package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// EnableTenant switches a tenant on again. It revives nothing that ended when it was
// switched off.
func (w *Writer) EnableTenant(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "tenants.enable",
		`UPDATE tenants SET disabled_at = NULL, updated_at = $2 WHERE id = $1`, id, database.At(at))
}

// EnableUser switches a person on again, as EnableTenant does a tenant.
func (w *Writer) EnableUser(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "users.enable",
		`UPDATE users SET disabled_at = NULL, updated_at = $2 WHERE id = $1`, id, database.At(at))
}

// EnableApplication switches an application on again, as EnableTenant does a tenant.
func (w *Writer) EnableApplication(ctx context.Context, clientID string, at time.Time) error {
	return w.exec(ctx, "applications.enable",
		`UPDATE applications SET disabled_at = NULL, updated_at = $2 WHERE client_id = $1`, clientID, database.At(at))
}
