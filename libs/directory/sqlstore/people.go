package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// People reads and writes what signing in needs of people and tenants.
type People struct{ db *database.DB }

// NewPeople returns the store.
func NewPeople(db *database.DB) *People { return &People{db} }

const userColumns = `u.id, u.email, u.email_verified, u.name, u.given_name, u.family_name, u.claims, u.updated_at, u.disabled_at IS NULL AS active`

type userRow struct {
	ID            string                        `db:"id"`
	Email         string                        `db:"email"`
	EmailVerified bool                          `db:"email_verified"`
	Name          string                        `db:"name"`
	GivenName     string                        `db:"given_name"`
	FamilyName    string                        `db:"family_name"`
	Claims        database.JSON[map[string]any] `db:"claims"`
	UpdatedAt     database.Time                 `db:"updated_at"`
	Active        bool                          `db:"active"`
}

// accountColumns and fromAccounts read people together with their password hashes.
const (
	accountColumns = userColumns + `, COALESCE(c.password_hash, '') AS password_hash`
	fromAccounts   = `
FROM users u LEFT JOIN credentials c ON c.user_id = u.id`
)

type accountRow struct {
	userRow
	PasswordHash string `db:"password_hash"`
}

func (r *userRow) user() directory.User {
	return directory.User{
		ID:            r.ID,
		Email:         r.Email,
		EmailVerified: r.EmailVerified,
		Name:          r.Name,
		GivenName:     r.GivenName,
		FamilyName:    r.FamilyName,
		Claims:        r.Claims.V,
		Active:        r.Active,
		UpdatedAt:     r.UpdatedAt.Time,
	}
}

const tenantColumns = `t.id, t.slug, t.name, t.sso_only, t.color, t.disabled_at IS NULL AS active`

type tenantRow struct {
	ID      string `db:"id"`
	Slug    string `db:"slug"`
	Name    string `db:"name"`
	SSOOnly bool   `db:"sso_only"`
	Color   string `db:"color"`
	Active  bool   `db:"active"`
}

func (r *tenantRow) tenant() directory.Tenant {
	return directory.Tenant{
		ID:      r.ID,
		Slug:    r.Slug,
		Name:    r.Name,
		SSOOnly: r.SSOOnly,
		Color:   r.Color,
		Active:  r.Active,
	}
}

// Account returns a person by address (directory.ParseEmail), including a disabled one, with
// their password hash, or directory.ErrNotFound. It is one statement whether or not the person
// exists, so that the work doesn't reveal who does. It also finds an address that an earlier
// version stored in another spelling.
func (p *People) Account(ctx context.Context, email string) (*directory.Account, error) {
	var row struct {
		accountRow
		AccessEnds int64 `db:"access_ends"`
	}
	const where = ` WHERE u.email IN ($1, $2, $3, $4) ORDER BY u.email <> $1, u.email LIMIT 1`
	query := `SELECT ` + accountColumns + `, ` + AccessEnds("u.id", "", "") + ` AS access_ends` + fromAccounts + where
	if err := p.db.Get(ctx, "users.account", &row, query, spellings(email)...); err != nil {
		return nil, notFound(err)
	}

	return &directory.Account{User: row.user(), PasswordHash: row.PasswordHash, AccessEnds: row.AccessEnds}, nil
}

// User returns a person by id, including a disabled one, or directory.ErrNotFound.
func (p *People) User(ctx context.Context, id string) (*directory.User, error) {
	var row userRow
	if err := p.db.Get(ctx, "users.find", &row, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id); err != nil {
		return nil, notFound(err)
	}
	user := row.user()
	return &user, nil
}

// Tenants returns the active tenants a person is a member of, by name.
func (p *People) Tenants(ctx context.Context, userID string) ([]directory.Tenant, error) {
	const query = `SELECT ` + tenantColumns + ` FROM tenants t JOIN memberships m ON m.tenant_id = t.id
WHERE m.user_id = $1 AND t.disabled_at IS NULL ORDER BY t.name, t.slug`
	var rows []tenantRow
	if err := p.db.Select(ctx, "tenants.of_user", &rows, query, userID); err != nil {
		return nil, err
	}

	tenants := make([]directory.Tenant, len(rows))
	for i := range rows {
		tenants[i] = rows[i].tenant()
	}

	return tenants, nil
}

// Tenant returns a tenant by id, including a disabled one, or directory.ErrNotFound.
func (p *People) Tenant(ctx context.Context, id string) (*directory.Tenant, error) {
	return p.tenant(ctx, "tenants.find", `t.id = $1`, id)
}

// TenantBySlug returns a tenant by slug, including a disabled one, or directory.ErrNotFound.
func (p *People) TenantBySlug(ctx context.Context, slug string) (*directory.Tenant, error) {
	return p.tenant(ctx, "tenants.by_slug", `t.slug = $1`, slug)
}

// TenantByDomain returns the tenant that a verified e-mail domain (lower case) leads to,
// including a disabled one, or directory.ErrNotFound.
func (p *People) TenantByDomain(ctx context.Context, domain string) (*directory.Tenant, error) {
	return p.tenant(ctx, "tenants.by_domain",
		`t.id = (SELECT d.tenant_id FROM tenant_domains d WHERE d.domain = $1)`, domain)
}

func (p *People) tenant(ctx context.Context, name, where, arg string) (*directory.Tenant, error) {
	var row tenantRow
	if err := p.db.Get(ctx, name, &row, `SELECT `+tenantColumns+` FROM tenants t WHERE `+where, arg); err != nil {
		return nil, notFound(err)
	}
	tenant := row.tenant()
	return &tenant, nil
}

// PasswordCosts returns the distinct costs of all stored password hashes, as the PHC strings
// have them ("m=19456,t=2,p=1"). An index leads from one cost to the next, however many hashes
// there are.
func (p *People) PasswordCosts(ctx context.Context) ([]string, error) {
	query := `SELECT coalesce(min(password_hash), '') FROM credentials WHERE password_hash > $1`
	if p.db.Dialect() == database.Postgres {
		query = `SELECT coalesce(min(password_hash COLLATE "C"), '') FROM credentials WHERE password_hash COLLATE "C" > $1`
	}

	var costs []string
	for after := ""; ; {
		var hash string
		if err := p.db.Get(ctx, "credentials.costs", &hash, query, after); err != nil {
			return nil, err
		}

		if hash == "" {
			return costs, nil
		}

		parts := strings.SplitN(hash, "$", 5) // "", algorithm, version, cost and the rest
		if len(parts) < 5 {
			after = hash
			continue
		}

		costs = append(costs, parts[3])
		after = strings.TrimSuffix(hash, parts[4]) + "~" // sorts after every base64 character
	}
}

// SetPasswordHash replaces a hash. It returns false if the hash has changed meanwhile.
func (p *People) SetPasswordHash(ctx context.Context, userID, oldHash, newHash string, at time.Time) (bool, error) {
	const query = `UPDATE credentials SET password_hash = $3, updated_at = $4 WHERE user_id = $1 AND password_hash = $2`
	n, err := p.db.Exec(ctx, "credentials.replace", query, userID, oldHash, newHash, database.At(at))
	return n == 1, err
}

// RecordLogin records when a person last signed in. This is a row of its own because the
// operator writes the person's row, and a sign-in must not wait for the operator.
func (p *People) RecordLogin(ctx context.Context, userID string, at time.Time) error {
	const query = `INSERT INTO user_logins (user_id, last_login_at) SELECT u.id, $2 FROM users u WHERE u.id = $1
ON CONFLICT (user_id) DO UPDATE SET last_login_at = excluded.last_login_at`
	_, err := p.db.Exec(ctx, "user_logins.record", query, userID, database.At(at))
	return err
}

// spellings returns an address in all the forms in which it may be stored.
func spellings(email string) []any {
	var args []any
	for _, s := range directory.EmailSpellings(email) {
		args = append(args, s)
	}
	return args
}
