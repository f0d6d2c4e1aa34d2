package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// operatorColumns omits the hashes of cookies, which an operator may not read.
var operatorColumns = `s.id, s.user_id, s.tenant_id, s.auth_time, s.acr, s.amr, s.created_at, s.last_seen_at, s.expires_at,
       ` + endedAt("s.") + ` AS ended_at, s.user_agent, s.address, s.person_ends,
       u.email, COALESCE(t.slug, '') AS tenant`

// Found is a session with the names of its person and tenant, and without its cookie hashes.
type Found struct {
	*sessions.Session
	Email  string
	Tenant string // slug; empty until one is chosen
}

// Filter selects sessions for the operator. Zero fields select all.
type Filter struct {
	ID        string
	UserID    string
	TenantID  string
	ClientID  string    // sessions with a grant to this application, including ended grants
	LiveAt    time.Time // neither ended nor past their absolute expiry at that time
	SeenAfter time.Time // and used since then
	// UnmarkedAt selects sessions that no row says have ended by that time: those of LiveAt,
	// and those whose access has ended but that aren't marked yet.
	UnmarkedAt time.Time
	Limit      int // maximum number of rows; 0: all
}

// Find returns sessions for the operator, most recently used first.
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
