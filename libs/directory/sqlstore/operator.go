package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// Operator changes the directory. Only the operator's commands use it.
type Operator struct{ db *database.DB }

// NewOperator returns the store.
func NewOperator(db *database.DB) *Operator { return &Operator{db} }

// Tx runs f in one transaction. Two operators' transactions wait for each other, so that
// neither bases a decision on rows that the other is changing.
func (o *Operator) Tx(ctx context.Context, f func(w *Writer) error) error {
	return o.db.Tx(ctx, "directory.operator", func(tx *database.Tx) error {
		if o.db.Dialect() == database.Postgres { // SQLite has only one writer anyway
			// "platdire"
			if _, err := tx.Exec(ctx, "directory.lock",
				`SELECT pg_advisory_xact_lock(x'706c617464697265'::bigint)`); err != nil {
				return err
			}
		}
		return f(&Writer{Reader: Reader{tx}, tx: tx})
	})
}

// errTakenBack makes Try roll its transaction back.
var errTakenBack = errors.New("taken back")

// Try runs f as Tx does and then rolls everything back. It is a rehearsal that meets the same
// conflicts.
func (o *Operator) Try(ctx context.Context, f func(w *Writer) error) error {
	err := o.Tx(ctx, func(w *Writer) error {
		if err := f(w); err != nil {
			return err
		}
		return errTakenBack
	})
	if errors.Is(err, errTakenBack) {
		return nil
	}

	return err
}

// Writer reads and writes the directory inside an Operator's transaction.
type Writer struct {
	Reader
	tx *database.Tx
}

// Tx returns the transaction itself, for writes that must commit with it: audit trail rows, the
// end of sessions.
func (w *Writer) Tx() *database.Tx { return w.tx }

// ConflictError reports a name that is already taken.
type ConflictError struct {
	What string // "e-mail address", "slug", "domain" …
	Err  error  // from the database; may be nil
}

func (e *ConflictError) Error() string { return fmt.Sprintf("the %s is taken", e.What) }

// Unwrap returns the database's error.
func (e *ConflictError) Unwrap() error { return e.Err }

func conflict(ctx context.Context, what string, err error) error {
	if database.Classify(ctx, err) == database.KindConflict {
		return &ConflictError{What: what, Err: err}
	}
	return err
}

// exec is Tx.Exec for callers that don't need the number of rows.
func (w *Writer) exec(ctx context.Context, name, query string, args ...any) error {
	_, err := w.tx.Exec(ctx, name, query, args...)
	return err
}

// SaveTenant creates or updates the tenant with t's id, and makes its domains exactly those
// given. An existing tenant stays enabled or disabled. A slug or domain of another tenant is a
// *ConflictError.
func (w *Writer) SaveTenant(ctx context.Context, t directory.Tenant, domains []string, at time.Time) error {
	// An UPDATE that leaves the keys alone doesn't block writers of rows that refer to this
	// one.
	const change = `UPDATE tenants SET name = $3, sso_only = $4, color = $5, updated_at = $6 WHERE id = $1 AND slug = $2`
	n, err := w.tx.Exec(ctx, "tenants.change", change, t.ID, t.Slug, t.Name, t.SSOOnly, t.Color, database.At(at))
	if err != nil {
		return err
	}

	if n == 0 {
		const save = `
INSERT INTO tenants (id, slug, name, sso_only, color, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, sso_only = excluded.sso_only, color = excluded.color,
       updated_at = excluded.updated_at`
		if err := w.exec(ctx, "tenants.save", save, t.ID, t.Slug, t.Name, t.SSOOnly, t.Color,
			database.At(at)); err != nil {
			return conflict(ctx, "slug", err)
		}
	}

	return w.relate(ctx, tenantDomains, t.ID, domains, at)
}

// SaveUser creates or updates the person with u's id, and makes their memberships exactly those
// given. An existing person stays enabled or disabled. Another person's address is a
// *ConflictError.
func (w *Writer) SaveUser(ctx context.Context, u directory.User, tenantIDs []string, at time.Time) error {
	args := []any{
		u.ID, u.Email, u.EmailVerified, u.Name, u.GivenName, u.FamilyName,
		database.JSON[map[string]any]{V: u.Claims},
		database.At(at),
	}
	// An UPDATE that leaves the keys alone doesn't block writers of rows that refer to this
	// one, such as a new session.
	const change = `
UPDATE users SET email_verified = $3, name = $4, given_name = $5, family_name = $6, claims = $7, updated_at = $8
WHERE id = $1 AND email = $2`
	n, err := w.tx.Exec(ctx, "users.change", change, args...)
	if err != nil {
		return err
	}

	if n == 0 {
		const save = `
INSERT INTO users (id, email, email_verified, name, given_name, family_name, claims, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (id) DO UPDATE SET email = excluded.email, email_verified = excluded.email_verified, name = excluded.name,
       given_name = excluded.given_name, family_name = excluded.family_name, claims = excluded.claims,
       updated_at = excluded.updated_at`
		if err := w.exec(ctx, "users.save", save, args...); err != nil {
			return conflict(ctx, "e-mail address", err)
		}
	}

	return w.relate(ctx, userTenants, u.ID, tenantIDs, at)
}

// relation describes a table that ties values to an id. $1 is the id, $2 a value, $3 the time
// it was added.
type relation struct{ name, what, list, remove, add string }

var (
	tenantDomains = relation{
		name:   "tenant_domains",
		what:   "domain",
		list:   `SELECT domain FROM tenant_domains WHERE tenant_id = $1`,
		remove: `DELETE FROM tenant_domains WHERE tenant_id = $1 AND domain = $2`,
		add:    `INSERT INTO tenant_domains (tenant_id, domain, verified_at) VALUES ($1, $2, $3)`,
	}
	userTenants = relation{
		name:   "memberships",
		what:   "membership",
		list:   `SELECT tenant_id FROM memberships WHERE user_id = $1`,
		remove: `DELETE FROM memberships WHERE user_id = $1 AND tenant_id = $2`,
		add:    `INSERT INTO memberships (user_id, tenant_id, created_at) VALUES ($1, $2, $3)`,
	}
)

// relate makes the values of id exactly those given. A value that stays keeps its age.
func (w *Writer) relate(ctx context.Context, r relation, id string, values []string, at time.Time) error {
	var had []string
	if err := w.tx.Select(ctx, r.name+".list", &had, r.list, id); err != nil {
		return err
	}

	for _, value := range had {
		if slices.Contains(values, value) {
			continue
		}
		if err := w.exec(ctx, r.name+".remove", r.remove, id, value); err != nil {
			return err
		}
	}

	for _, value := range values {
		if slices.Contains(had, value) {
			continue
		}
		if err := w.exec(ctx, r.name+".add", r.add, id, value, database.At(at)); err != nil {
			return conflict(ctx, r.what, err)
		}

		had = append(had, value) // it may be given twice
	}

	return nil
}

// SetPassword sets a person's password to a PHC string, or removes it if hash is empty.
func (w *Writer) SetPassword(ctx context.Context, userID, hash string, at time.Time) error {
	if hash == "" {
		return w.exec(ctx, "credentials.clear", `DELETE FROM credentials WHERE user_id = $1`, userID)
	}

	const set = `
INSERT INTO credentials (user_id, password_hash, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, updated_at = excluded.updated_at`
	return w.exec(ctx, "credentials.set", set, userID, hash, database.At(at))
}

var applicationColumns = database.ColumnsOf[savedApplication]()

var saveApplication = `INSERT INTO applications (` + applicationColumns.List() + `)
VALUES (` + applicationColumns.Placeholders() + `)
ON CONFLICT (client_id) DO UPDATE SET ` + applicationColumns.Excluded("client_id", "created_at")

// SaveApplication creates or updates the application with a's client id. An existing
// application stays enabled or disabled. SetSecrets saves the secrets.
func (w *Writer) SaveApplication(ctx context.Context, a *directory.Application, at time.Time) error {
	row := savedApplication{
		applicationRow: newApplicationRow(a),
		CreatedAt:      database.At(at),
		UpdatedAt:      database.At(at),
	}
	return w.exec(ctx, "applications.save", saveApplication, applicationColumns.Values(&row)...)
}

// SetSecrets makes an application's secrets exactly those given. One that the application
// already has, by id, keeps its age and may get another expiry. A secret given twice, or an id
// that belongs to another secret, is a *ConflictError.
func (w *Writer) SetSecrets(
	ctx context.Context, clientID string, secrets []directory.ApplicationSecret, at time.Time,
) error {
	ids := make([]string, len(secrets))
	for i, s := range secrets {
		ids[i] = s.ID
	}

	var had []string
	if err := w.tx.Select(ctx, "application_secrets.ids", &had,
		`SELECT id FROM application_secrets WHERE client_id = $1`, clientID); err != nil {
		return err
	}

	for _, id := range had {
		if slices.Contains(ids, id) {
			continue
		}
		if err := w.exec(ctx, "application_secrets.remove",
			`DELETE FROM application_secrets WHERE id = $1`, id); err != nil {
			return err
		}
	}

	for _, s := range secrets {
		const save = `
INSERT INTO application_secrets (id, client_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
WHERE application_secrets.client_id = excluded.client_id AND application_secrets.hash = excluded.hash`
		n, err := w.tx.Exec(ctx, "application_secrets.save", save, s.ID, clientID, s.Hash, database.At(at),
			database.At(s.ExpiresAt))
		switch {
		case err != nil:
			return conflict(ctx, "client secret", err)
		case n == 0: // belongs to another application, or is another secret
			return &ConflictError{What: "id of the client secret"}
		}
	}

	return nil
}

// DisableTenant disables a tenant. Nothing is deleted: rows that others refer to stay, and what
// was recorded about it can still be read.
func (w *Writer) DisableTenant(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "tenants.disable",
		`UPDATE tenants SET disabled_at = $2, updated_at = $2 WHERE id = $1 AND disabled_at IS NULL`,
		id, database.At(at))
}

// DisableUser disables a person, as DisableTenant does a tenant.
func (w *Writer) DisableUser(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "users.disable",
		`UPDATE users SET disabled_at = $2, updated_at = $2 WHERE id = $1 AND disabled_at IS NULL`, id, database.At(at))
}

// DisableApplication disables an application, as DisableTenant does a tenant.
func (w *Writer) DisableApplication(ctx context.Context, clientID string, at time.Time) error {
	return w.exec(ctx, "applications.disable",
		`UPDATE applications SET disabled_at = $2, updated_at = $2 WHERE client_id = $1 AND disabled_at IS NULL`,
		clientID, database.At(at))
}
