package sqlstore

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// Reader reads all of the directory, for the operator's commands alone.
type Reader struct{ db database.Runner }

// NewReader makes a reader that takes part in no transaction, and so waits for no
// operator.
func NewReader(db *database.DB) *Reader { return &Reader{db} }

// TenantRecord is a tenant with its domains, sorted.
type TenantRecord struct {
	directory.Tenant
	Domains []string
}

// UserRecord is a person with their tenants' ids, sorted, and their password's
// hash.
type UserRecord struct {
	directory.User
	TenantIDs    []string
	PasswordHash string
}

// Tenants lists all tenants, disabled ones included, by slug.
func (r *Reader) Tenants(ctx context.Context) ([]TenantRecord, error) {
	var rows []tenantRow
	if err := r.db.Select(ctx, "tenants.list", &rows, `SELECT `+tenantColumns+` FROM tenants t ORDER BY t.slug`); err != nil {
		return nil, err
	}
	domains, err := r.pairs(ctx, "tenant_domains.list", `SELECT tenant_id AS a, domain AS b FROM tenant_domains ORDER BY domain`)
	if err != nil {
		return nil, err
	}
	records := make([]TenantRecord, len(rows))
	for i := range rows {
		records[i] = TenantRecord{Tenant: rows[i].tenant(), Domains: domains[rows[i].ID]}
	}
	return records, nil
}

// Users lists all people, disabled ones included, by e-mail address.
func (r *Reader) Users(ctx context.Context) ([]UserRecord, error) {
	return r.users(ctx, "users.list", `SELECT user_id AS a, tenant_id AS b FROM memberships ORDER BY tenant_id`, selectAccount+` ORDER BY u.email`)
}

// User finds a person by id or by e-mail address (lower case), disabled ones
// included; directory.ErrNotFound.
func (r *Reader) User(ctx context.Context, idOrEmail string) (*UserRecord, error) {
	const memberships = `SELECT m.user_id AS a, m.tenant_id AS b FROM memberships m JOIN users u ON u.id = m.user_id
WHERE u.id = $1 OR u.email = $1 ORDER BY m.tenant_id`
	found, err := r.users(ctx, "users.look_up", memberships, selectAccount+` WHERE u.id = $1 OR u.email = $1`, idOrEmail)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, directory.ErrNotFound
	}
	return &found[0], nil
}

func (r *Reader) users(ctx context.Context, name, memberships, query string, args ...any) ([]UserRecord, error) {
	var rows []accountRow
	if err := r.db.Select(ctx, name, &rows, query, args...); err != nil {
		return nil, err
	}
	tenants, err := r.pairs(ctx, "memberships.list", memberships, args...)
	if err != nil {
		return nil, err
	}
	records := make([]UserRecord, len(rows))
	for i := range rows {
		records[i] = UserRecord{User: rows[i].user(), TenantIDs: tenants[rows[i].ID], PasswordHash: rows[i].PasswordHash}
	}
	return records, nil
}

// Applications lists all applications with their secrets, disabled ones
// included, by client id.
func (r *Reader) Applications(ctx context.Context) ([]*directory.Application, error) {
	var rows []applicationRow
	if err := r.db.Select(ctx, "applications.list", &rows, selectApplication+` ORDER BY client_id`); err != nil {
		return nil, err
	}
	var secrets []secretRow
	if err := r.db.Select(ctx, "application_secrets.list", &secrets, selectSecrets+` ORDER BY created_at, id`); err != nil {
		return nil, err
	}
	byID := map[string]*directory.Application{}
	apps := make([]*directory.Application, len(rows))
	for i := range rows {
		apps[i] = rows[i].application()
		byID[apps[i].ClientID] = apps[i]
	}
	for i := range secrets {
		// One made between the two readings is the next listing's.
		if app := byID[secrets[i].ClientID]; app != nil {
			app.Secrets = append(app.Secrets, secrets[i].secret())
		}
	}
	return apps, nil
}

// pairs reads a relation as lists of b by a.
func (r *Reader) pairs(ctx context.Context, name, query string, args ...any) (map[string][]string, error) {
	var rows []struct {
		A string `db:"a"`
		B string `db:"b"`
	}
	if err := r.db.Select(ctx, name, &rows, query, args...); err != nil {
		return nil, err
	}
	lists := map[string][]string{}
	for _, row := range rows {
		lists[row.A] = append(lists[row.A], row.B)
	}
	return lists, nil
}
