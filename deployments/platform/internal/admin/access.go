package admin

import (
	"context"
	"strconv"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/ending"
)

// Actions that are reported in addition to those of the declarative file, and Revoked.
const (
	Ended   = "ended" // a session
	Enabled = "enabled"
)

// DisableUser disables a person and ends all of their access.
func (d Desk) DisableUser(ctx context.Context, emailOrID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		user, err := User(ctx, &w.Reader, emailOrID)
		if err != nil {
			return err
		}

		if !user.Active {
			w.report.Unchanged++
			return w.finishPerson(ctx, user.ID)
		}

		if err := w.DisableUser(ctx, user.ID, w.at); err != nil {
			return err
		}

		c := manifest.Change{Action: manifest.Disabled, Kind: "user", Name: user.Email}
		if err := w.changed(ctx, c, audit.Event{UserID: user.ID}); err != nil {
			return err
		}

		return w.finishPerson(ctx, user.ID)
	})
}

// EnableUser enables a person again. It revives nothing.
func (d Desk) EnableUser(ctx context.Context, emailOrID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		user, err := User(ctx, &w.Reader, emailOrID)
		if err != nil {
			return err
		}

		if user.Active {
			w.report.Unchanged++
			return nil
		}

		if err := w.EnableUser(ctx, user.ID, w.at); err != nil {
			return err
		}

		c := manifest.Change{Action: Enabled, Kind: "user", Name: user.Email}
		return w.changed(ctx, c, audit.Event{UserID: user.ID})
	})
}

// RevokeUser ends all access of a person or, with a tenant (slug or id), their access
// there.
func (d Desk) RevokeUser(ctx context.Context, emailOrID, tenant string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		user, err := User(ctx, &w.Reader, emailOrID)
		if err != nil {
			return err
		}

		access := ending.Access{UserID: user.ID}
		if tenant != "" {
			found, err := Tenant(ctx, &w.Reader, tenant)
			if err != nil {
				return err
			}
			access.TenantID = found.ID
		}

		return w.endPerson(ctx, access, user.Email)
	})
}

// DisableTenant disables a tenant and ends all access to it.
func (d Desk) DisableTenant(ctx context.Context, slugOrID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		tenant, err := Tenant(ctx, &w.Reader, slugOrID)
		if err != nil {
			return err
		}

		w.ends = true

		if !tenant.Active {
			w.report.Unchanged++
			return nil
		}

		if err := w.DisableTenant(ctx, tenant.ID, w.at); err != nil {
			return err
		}

		c := manifest.Change{Action: manifest.Disabled, Kind: "tenant", Name: tenant.Slug}
		return w.changed(ctx, c, audit.Event{TenantID: tenant.ID})
	})
}

// EnableTenant enables a tenant again. It revives nothing.
func (d Desk) EnableTenant(ctx context.Context, slugOrID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		tenant, err := Tenant(ctx, &w.Reader, slugOrID)
		if err != nil {
			return err
		}

		if tenant.Active {
			w.report.Unchanged++
			return nil
		}

		if err := w.EnableTenant(ctx, tenant.ID, w.at); err != nil {
			return err
		}

		c := manifest.Change{Action: Enabled, Kind: "tenant", Name: tenant.Slug}
		return w.changed(ctx, c, audit.Event{TenantID: tenant.ID})
	})
}

// RevokeTenant ends all access to a tenant.
func (d Desk) RevokeTenant(ctx context.Context, slugOrID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		tenant, err := Tenant(ctx, &w.Reader, slugOrID)
		if err != nil {
			return err
		}

		w.ends = true

		if err := ending.Mark(ctx, w.Tx(), ending.Access{TenantID: tenant.ID}); err != nil {
			return err
		}

		c := manifest.Change{Action: Revoked, Kind: "tenant", Name: tenant.Slug}
		return w.changed(ctx, c, audit.Event{TenantID: tenant.ID})
	})
}

// DisableApplication disables an application and ends all access that it was given.
func (d Desk) DisableApplication(ctx context.Context, clientID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		app, err := Application(ctx, &w.Reader, clientID)
		if err != nil {
			return err
		}

		w.ends = true

		if !app.Active {
			w.report.Unchanged++
			return nil
		}

		if err := w.DisableApplication(ctx, clientID, w.at); err != nil {
			return err
		}

		c := manifest.Change{Action: manifest.Disabled, Kind: "application", Name: clientID}
		return w.changed(ctx, c, audit.Event{ClientID: clientID, TenantID: app.TenantID})
	})
}

// EnableApplication enables an application again. It revives nothing.
func (d Desk) EnableApplication(ctx context.Context, clientID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		app, err := Application(ctx, &w.Reader, clientID)
		if err != nil {
			return err
		}

		if app.Active {
			w.report.Unchanged++
			return nil
		}

		if err := w.EnableApplication(ctx, clientID, w.at); err != nil {
			return err
		}

		c := manifest.Change{Action: Enabled, Kind: "application", Name: clientID}
		return w.changed(ctx, c, audit.Event{ClientID: clientID, TenantID: app.TenantID})
	})
}

// RevokeApplication ends all access that people gave an application.
func (d Desk) RevokeApplication(ctx context.Context, clientID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		app, err := Application(ctx, &w.Reader, clientID)
		if err != nil {
			return err
		}

		w.ends = true

		if err := ending.Mark(ctx, w.Tx(), ending.Access{ClientID: clientID}); err != nil {
			return err
		}

		c := manifest.Change{Action: Revoked, Kind: "application", Name: clientID}
		return w.changed(ctx, c, audit.Event{ClientID: clientID, TenantID: app.TenantID})
	})
}

// endPerson ends a person's access and reports it.
func (w *work) endPerson(ctx context.Context, a ending.Access, name string) error {
	if err := w.endSessions(ctx, a); err != nil {
		return err
	}

	ended, err := ending.EndTx(ctx, w.Tx(), a, w.at)
	if err != nil {
		return err
	}

	c := manifest.Change{Action: Revoked, Kind: "user", Name: name}
	w.report.Changes = append(w.report.Changes, c)
	event := c.Event(audit.Event{UserID: a.UserID, TenantID: a.TenantID})
	event.Detail["grants"] = strconv.Itoa(ended.Grants)

	return w.trail.Record(ctx, event)
}

// finishPerson marks the rows of the access that ended when a person was disabled.
func (w *work) finishPerson(ctx context.Context, userID string) error {
	a := ending.Access{UserID: userID}
	if err := w.endSessions(ctx, a); err != nil {
		return err
	}
	_, err := ending.FinishTx(ctx, w.Tx(), a, w.at)
	return err
}
