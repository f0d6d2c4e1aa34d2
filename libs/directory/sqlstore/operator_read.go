package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// Reader reads the whole directory. Only the operator's commands use it.
type Reader struct{ db database.Runner }

// NewReader returns a reader that takes part in no transaction, and so never waits for another
// operator.
func NewReader(db *database.DB) *Reader { return &Reader{db} }

// TenantRecord is a tenant with its domains, sorted.
type TenantRecord struct {
	directory.Tenant
	Domains []string
}

// UserRecord is a person with the ids of their tenants, sorted, their password hash, and when
// they last signed in (zero: never).
type UserRecord struct {
	directory.User
	TenantIDs    []string
	PasswordHash string
	LastLoginAt  time.Time
}

// Tenants returns all tenants, including disabled ones, by slug.
func (r *Reader) Tenants(ctx context.Context) ([]TenantRecord, error) {
	var rows []tenantRow
	if err := r.db.Select(ctx, "tenants.list", &rows,
		`SELECT `+tenantColumns+` FROM tenants t ORDER BY t.slug`); err != nil {
		return nil, err
	}

	domains, err := r.pairs(ctx, "tenant_domains.list",
		`SELECT tenant_id AS a, domain AS b FROM tenant_domains ORDER BY domain`)
	if err != nil {
		return nil, err
	}

	records := make([]TenantRecord, len(rows))
	for i := range rows {
		records[i] = TenantRecord{Tenant: rows[i].tenant(), Domains: domains[rows[i].ID]}
	}

	return records, nil
}

// Users returns all people, including disabled ones, by e-mail address.
func (r *Reader) Users(ctx context.Context) ([]UserRecord, error) {
	return r.users(ctx, "users.list", `true`, ` ORDER BY u.email`)
}

// User returns a person by id or by e-mail address (directory.ParseEmail), including a disabled
// one, or directory.ErrNotFound.
func (r *Reader) User(ctx context.Context, idOrEmail string) (*UserRecord, error) {
	const where = `(u.id = $1 OR u.email IN ($1, $2, $3, $4))`
	found, err := r.users(ctx, "users.look_up", where, ` ORDER BY u.email <> $1, u.email`, spellings(idOrEmail)...)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, directory.ErrNotFound
	}
	return &found[0], nil
}

// UsersByEmail returns the people with the given addresses (directory.ParseEmail), including
// disabled ones, by the address as given. It takes a few hundred at once.
func (r *Reader) UsersByEmail(ctx context.Context, emails []string) (map[string]UserRecord, error) {
	given := map[string]string{} // by spelling
	var all []string
	for _, email := range emails {
		for _, spelling := range directory.EmailSpellings(email) {
			if _, twice := given[spelling]; !twice {
				given[spelling] = email
				all = append(all, spelling)
			}
		}
	}

	if len(all) == 0 {
		return nil, nil
	}

	in, args := database.In(1, all)
	found, err := r.users(ctx, "users.by_email", `u.email `+in, ``, args...)
	if err != nil {
		return nil, err
	}

	users := map[string]UserRecord{}
	for _, u := range found {
		email := given[u.Email]
		if _, better := users[email]; !better || u.Email == email {
			users[email] = u
		}
	}

	return users, nil
}

// ActiveUser is a person who is not disabled.
type ActiveUser struct {
	ID    string `db:"id"`
	Email string `db:"email"`
}

// ActiveUsers returns at most limit people who aren't disabled, by e-mail address, starting
// behind after (empty: from the first).
func (r *Reader) ActiveUsers(ctx context.Context, after string, limit int) ([]ActiveUser, error) {
	const query = `SELECT id, email FROM users WHERE disabled_at IS NULL AND email > $1 ORDER BY email LIMIT $2`
	var rows []ActiveUser
	err := r.db.Select(ctx, "users.active", &rows, query, after, limit)
	return rows, err
}

// recordRow is a person with their last sign-in, which earlier versions noted in the person's
// own row.
type recordRow struct {
	accountRow
	LastLoginAt database.Time `db:"last_login_at"`
	NotedAt     database.Time `db:"noted_at"`
}

const selectRecord = `SELECT ` + accountColumns + `, u.last_login_at, l.last_login_at AS noted_at` + fromAccounts + `
LEFT JOIN user_logins l ON l.user_id = u.id WHERE `

// users reads the people that satisfy the condition.
func (r *Reader) users(ctx context.Context, name, where, order string, args ...any) ([]UserRecord, error) {
	var rows []recordRow
	if err := r.db.Select(ctx, name, &rows, selectRecord+where+order, args...); err != nil {
		return nil, err
	}

	memberships := `SELECT m.user_id AS a, m.tenant_id AS b FROM memberships m JOIN users u ON u.id = m.user_id
WHERE ` + where + ` ORDER BY m.tenant_id`
	tenants, err := r.pairs(ctx, "memberships.list", memberships, args...)
	if err != nil {
		return nil, err
	}

	records := make([]UserRecord, len(rows))
	for i := range rows {
		last := rows[i].LastLoginAt.Time
		if noted := rows[i].NotedAt.Time; noted.After(last) {
			last = noted
		}

		records[i] = UserRecord{
			User:         rows[i].user(),
			TenantIDs:    tenants[rows[i].ID],
			PasswordHash: rows[i].PasswordHash,
			LastLoginAt:  last,
		}
	}

	return records, nil
}

// Applications returns all applications with their secrets, including disabled ones, by client
// id.
func (r *Reader) Applications(ctx context.Context) ([]*directory.Application, error) {
	var rows []foundApplication
	if err := r.db.Select(ctx, "applications.list", &rows, selectApplication+` ORDER BY client_id`); err != nil {
		return nil, err
	}

	var secrets []secretRow
	if err := r.db.Select(ctx, "application_secrets.list", &secrets,
		selectSecrets+` ORDER BY created_at, id`); err != nil {
		return nil, err
	}

	byID := map[string]*directory.Application{}
	apps := make([]*directory.Application, len(rows))
	for i := range rows {
		apps[i] = rows[i].application()
		byID[apps[i].ClientID] = apps[i]
	}

	for i := range secrets {
		// One created between the two reads belongs to the next listing.
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
