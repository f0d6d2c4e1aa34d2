package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// operatorColumns leaves the hashes of cookies out: an operator may not read them.
var operatorColumns = `s.id, s.user_id, s.tenant_id, s.auth_time, s.acr, s.amr, s.created_at, s.last_seen_at, s.expires_at,
       ` + endedAt("s.") + ` AS ended_at, s.user_agent, s.address, s.person_ends,
       u.email, COALESCE(t.slug, '') AS tenant`

// Found is a session with the names of its person and tenant, and without what
// belongs to a cookie.
type Found struct {
	*sessions.Session
	Email  string
	Tenant string // slug; empty until one is chosen
}

// Filter chooses the sessions that an operator looks at; zero fields choose all.
type Filter struct {
	ID        string
	UserID    string
	TenantID  string
	ClientID  string    // sessions that gave this application a grant, ended ones included
	LiveAt    time.Time // neither ended nor past the absolute end at that time
	SeenAfter time.Time // and used since
	// UnmarkedAt chooses sessions that no row says the end of at that time: those of
	// LiveAt, and those whose access has ended but which are not marked.
	UnmarkedAt time.Time
	Limit      int // rows at most; 0: all
}

// Find lists sessions for the operator, the last used first.
func Find(ctx context.Context, db database.Runner, f Filter) ([]Found, error) {
	query, args := f.statement()
	var rows []struct {
		row
		Email  string `db:"email"`
		Tenant string `db:"tenant"`
	}
	if err := db.Select(ctx, "sessions.find", &rows, query, args...); err != nil {
		return nil, err
	}

	found := make([]Found, len(rows))
	for i := range rows {
		found[i] = Found{Session: rows[i].session(), Email: rows[i].Email, Tenant: rows[i].Tenant}
	}

	return found, nil
}

func (f Filter) statement() (query string, args []any) {
	where := []string{"1 = 1"}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, c := range [][2]string{
		{"s.id = $%d", f.ID},
		{"s.user_id = $%d", f.UserID},
		{"s.tenant_id = $%d", f.TenantID},
		{"EXISTS (SELECT 1 FROM grants g WHERE g.session_id = s.id AND g.client_id = $%d)", f.ClientID},
	} {
		if c[1] != "" {
			and(c[0], c[1])
		}
	}

	if !f.LiveAt.IsZero() {
		and("s.ended_at IS NULL AND s.ends = "+currentEnds("s.")+" AND s.expires_at > $%d", database.At(f.LiveAt))
	}

	if !f.UnmarkedAt.IsZero() {
		and("s.ended_at IS NULL AND s.expires_at > $%d", database.At(f.UnmarkedAt))
	}

	if !f.SeenAfter.IsZero() {
		and("s.last_seen_at > $%d", database.At(f.SeenAfter))
	}

	query = `SELECT ` + operatorColumns + ` 
FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN tenants t ON t.id = s.tenant_id
WHERE ` + strings.Join(where, " AND ") + ` ORDER BY s.last_seen_at DESC, s.id`
	if f.Limit > 0 {
		args = append(args, f.Limit)
		query += fmt.Sprintf(" LIMIT $%d", len(args))
	}

	return query, args
}
