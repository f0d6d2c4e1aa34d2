package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// Operator changes the directory, for the operator's commands alone.
type Operator struct{ db *database.DB }

// NewOperator makes the store.
func NewOperator(db *database.DB) *Operator { return &Operator{db} }

// Tx runs f in one transaction: all of it happens or nothing. Two operators at
// once wait for each other, so that neither decides on what the other changes.
func (o *Operator) Tx(ctx context.Context, f func(w *Writer) error) error {
	return o.db.Tx(ctx, "directory.operator", func(tx *database.Tx) error {
		if o.db.Dialect() == database.Postgres { // SQLite has one writer anyway
			// "platdire"
			if _, err := tx.Exec(ctx, "directory.lock",
				`SELECT pg_advisory_xact_lock(x'706c617464697265'::bigint)`); err != nil {
				return err
			}
		}
		return f(&Writer{Reader: Reader{tx}, tx: tx})
	})
}

// errTakenBack ends the transaction of Try.
var errTakenBack = errors.New("taken back")

// Try runs f as Tx does, and takes all of it back: a rehearsal that meets the
// same conflicts.
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

// Tx is the transaction itself, for what must happen together with it: the rows
// of the audit trail, the end of sessions.
func (w *Writer) Tx() *database.Tx { return w.tx }

// ConflictError is a name that somebody else has.
type ConflictError struct {
	What string // "e-mail address", "slug", "domain" …
	Err  error  // the database's; may be nil
}

func (e *ConflictError) Error() string { return fmt.Sprintf("the %s is taken", e.What) }

// Unwrap gives the database's error.
func (e *ConflictError) Unwrap() error { return e.Err }

func conflict(ctx context.Context, what string, err error) error {
	if database.Classify(ctx, err) == database.KindConflict {
		return &ConflictError{What: what, Err: err}
	}
	return err
}

// exec is Tx.Exec for those who do not count rows.
func (w *Writer) exec(ctx context.Context, name, query string, args ...any) error {
	_, err := w.tx.Exec(ctx, name, query, args...)
	return err
}

// SaveTenant makes a tenant what it says, by id, and its domains exactly those
// given. One that is there already stays enabled or disabled. A slug or domain of
// another tenant is a *ConflictError.
func (w *Writer) SaveTenant(ctx context.Context, t directory.Tenant, domains []string, at time.Time) error {
	// An UPDATE that leaves the keys alone does not stop those who refer to the row.
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

// SaveUser makes a person what it says, by id, and their memberships exactly those
// given. One who is there already stays enabled or disabled. Another person's
// address is a *ConflictError.
func (w *Writer) SaveUser(ctx context.Context, u directory.User, tenantIDs []string, at time.Time) error {
	args := []any{
		u.ID, u.Email, u.EmailVerified, u.Name, u.GivenName, u.FamilyName,
		database.JSON[map[string]any]{V: u.Claims},
		database.At(at),
	}
	// An UPDATE that leaves the keys alone does not stop those who refer to the row,
	// such as a new session.
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

// relation is what a table ties to an id: $1 is the id, $2 a value, $3 since when.
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

// relate makes the values of id exactly those given; one that stays keeps its
// age.
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

// SetPassword gives a person a password, as a PHC string; an empty one takes it
// away.
func (w *Writer) SetPassword(ctx context.Context, userID, hash string, at time.Time) error {
	if hash == "" {
		return w.exec(ctx, "credentials.clear", `DELETE FROM credentials WHERE user_id = $1`, userID)
	}

	const set = `
INSERT INTO credentials (user_id, password_hash, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, updated_at = excluded.updated_at`
	return w.exec(ctx, "credentials.set", set, userID, hash, database.At(at))
}

// SaveApplication makes an application what it says, by client id. One that is
// there already stays enabled or disabled. Secrets are SetSecrets's.
func (w *Writer) SaveApplication(ctx context.Context, a *directory.Application, at time.Time) error {
	const save = `
INSERT INTO applications (client_id, name, type, scope_level, tenant_id, redirect_uris, post_logout_redirect_uris,
       backchannel_logout_uri, grants, scopes, audiences, default_audience, resources_served, first_party,
       allow_localhost_redirect, id_token_claims, device_requires_auth, token_endpoint_audience, access_token_alg, id_token_alg, access_token_ttl,
       refresh_token_ttl, refresh_idle_ttl, refresh_grace, cors_origins, jwks, jwks_uri, allow_undotted_schemes, created_at, updated_at,
       development, initiate_login_uri)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $29, $30, $31)
ON CONFLICT (client_id) DO UPDATE SET name = excluded.name, type = excluded.type, scope_level = excluded.scope_level,
       tenant_id = excluded.tenant_id, redirect_uris = excluded.redirect_uris,
       post_logout_redirect_uris = excluded.post_logout_redirect_uris, backchannel_logout_uri = excluded.backchannel_logout_uri,
       grants = excluded.grants, scopes = excluded.scopes, audiences = excluded.audiences,
       default_audience = excluded.default_audience, resources_served = excluded.resources_served,
       first_party = excluded.first_party, allow_localhost_redirect = excluded.allow_localhost_redirect,
       id_token_claims = excluded.id_token_claims, device_requires_auth = excluded.device_requires_auth,
       token_endpoint_audience = excluded.token_endpoint_audience,
       access_token_alg = excluded.access_token_alg, id_token_alg = excluded.id_token_alg,
       access_token_ttl = excluded.access_token_ttl, refresh_token_ttl = excluded.refresh_token_ttl,
       refresh_idle_ttl = excluded.refresh_idle_ttl, refresh_grace = excluded.refresh_grace,
       cors_origins = excluded.cors_origins, jwks = excluded.jwks, jwks_uri = excluded.jwks_uri,
       allow_undotted_schemes = excluded.allow_undotted_schemes, development = excluded.development,
       initiate_login_uri = excluded.initiate_login_uri, updated_at = excluded.updated_at`

	var tenant *string
	if a.TenantID != "" {
		tenant = &a.TenantID
	}

	var grace *int64
	if a.RefreshGrace != nil {
		us := a.RefreshGrace.Microseconds()
		grace = &us
	}

	list := func(s []string) database.JSON[[]string] { return database.JSON[[]string]{V: s} }
	grantNames := make([]string, len(a.Grants))
	for i, g := range a.Grants {
		grantNames[i] = string(g)
	}

	return w.exec(ctx, "applications.save", save, a.ClientID, a.Name, string(a.Type), string(a.ScopeLevel), tenant,
		list(a.RedirectURIs), list(a.PostLogoutRedirectURIs), a.BackchannelLogoutURI, list(grantNames), list(a.Scopes),
		list(a.Audiences), a.DefaultAudience, list(a.ResourcesServed), a.FirstParty,
		a.AllowLocalhostRedirect, a.IDTokenClaims,
		a.DeviceRequiresAuth, a.TokenEndpointAudience, a.AccessTokenAlg, a.IDTokenAlg, a.AccessTokenTTL.Microseconds(),
		a.RefreshTokenTTL.Microseconds(),
		a.RefreshIdleTTL.Microseconds(), grace, list(a.CORSOrigins),
		database.JSON[json.RawMessage]{V: a.JWKS}, a.JWKSURI,
		a.AllowUndottedSchemes, database.At(at), a.Development, a.InitiateLoginURI)
}

// SetSecrets makes an application's secrets exactly those given; one that it has
// already, by id, keeps its age and may get another end. A secret given twice and
// an id that belongs to another secret are a *ConflictError.
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
		case n == 0: // another application's, or another secret
			return &ConflictError{What: "id of the client secret"}
		}
	}

	return nil
}

// DisableTenant switches a tenant off. Nothing is deleted: rows that others refer
// to stay, and what was said about it can still be read.
func (w *Writer) DisableTenant(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "tenants.disable",
		`UPDATE tenants SET disabled_at = $2, updated_at = $2 WHERE id = $1 AND disabled_at IS NULL`,
		id, database.At(at))
}

// DisableUser switches a person off, as DisableTenant does a tenant.
func (w *Writer) DisableUser(ctx context.Context, id string, at time.Time) error {
	return w.exec(ctx, "users.disable",
		`UPDATE users SET disabled_at = $2, updated_at = $2 WHERE id = $1 AND disabled_at IS NULL`, id, database.At(at))
}

// DisableApplication switches an application off, as DisableTenant does a tenant.
func (w *Writer) DisableApplication(ctx context.Context, clientID string, at time.Time) error {
	return w.exec(ctx, "applications.disable",
		`UPDATE applications SET disabled_at = $2, updated_at = $2 WHERE client_id = $1 AND disabled_at IS NULL`,
		clientID, database.At(at))
}
