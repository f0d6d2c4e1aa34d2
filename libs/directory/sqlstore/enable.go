package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// EnableTenant enables a disabled tenant. It revives nothing that ended when the tenant was
// disabled.
func (w *Writer) EnableTenant(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "tenants.enable",
		`UPDATE tenants SET disabled_at = NULL, updated_at = $2 WHERE id = $1`, id, database.At(at))
}

// EnableUser enables a disabled person, as EnableTenant does a tenant.
func (w *Writer) EnableUser(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "users.enable",
		`UPDATE users SET disabled_at = NULL, updated_at = $2 WHERE id = $1`, id, database.At(at))
}

// EnableApplication enables a disabled application, as EnableTenant does a tenant.
func (w *Writer) EnableApplication(ctx context.Context, clientID string, at time.Time) error {
	return w.exec(ctx, "applications.enable",
		`UPDATE applications SET disabled_at = NULL, updated_at = $2 WHERE client_id = $1`, clientID, database.At(at))
}
