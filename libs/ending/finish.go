package ending

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
)

// rowsAtOnce bounds how many rows one transaction marks, so that rows aren't locked for long.
const rowsAtOnce = 200

// scope says whose rows are marked, like the row of access_ends it was read from.
type scope struct {
	UserID   string `db:"user_id"`
	TenantID string `db:"tenant_id"`
	ClientID string `db:"client_id"`
	Ends     int64  `db:"ends"`
}

// where returns the condition on a table with the alias x, and its arguments, numbered from $n.
func (s scope) where(n int) (condition string, args []any) {
	var parts []string
	for _, c := range [][2]string{{"user_id", s.UserID}, {"tenant_id", s.TenantID}, {"client_id", s.ClientID}} {
		if c[1] == "" {
			continue
		}
		parts = append(parts, fmt.Sprintf("x.%s = $%d", c[0], n+len(args)))
		args = append(args, c[1])
	}
	return strings.Join(parts, " AND "), args
}

// Finish marks the rows of all ended access that is still unfinished, in short transactions,
// and counts them.
func Finish(ctx context.Context, db *database.DB, at time.Time) (Ended, error) {
	var total Ended
	var waiting []scope
	const unfinished = `SELECT user_id, tenant_id, client_id, ends FROM access_ends WHERE finished < ends ORDER BY user_id, tenant_id, client_id`
	if err := db.Select(ctx, "access_ends.unfinished", &waiting, unfinished); err != nil {
		return total, err
	}

	for _, s := range waiting {
		ended, err := finish(ctx, db, s, at)
		total.add(ended)
		if err != nil {
			return total, err
		}
	}

	return total, nil
}

// FinishSome is Finish for about batch rows at most, for a task that runs beside others. It
// returns the number of rows.
func FinishSome(ctx context.Context, db *database.DB, at time.Time, batch int) (int, error) {
	const first = `
SELECT user_id, tenant_id, client_id, ends FROM access_ends WHERE finished < ends ORDER BY user_id, tenant_id, client_id LIMIT 1`
	total := 0
	for total < batch {
		var waiting []scope
		if err := db.Select(ctx, "access_ends.unfinished", &waiting, first); err != nil || len(waiting) == 0 {
			return total, err
		}

		ended, more, err := step(ctx, db, waiting[0], at)
		total += ended.Sessions + ended.Grants

		if err == nil && !more {
			err = done(ctx, db, waiting[0])
		}
		if err != nil {
			return total, err
		}
	}

	return total, nil
}

// finish marks all rows of a scope, in short transactions.
func finish(ctx context.Context, db *database.DB, s scope, at time.Time) (Ended, error) {
	return each(ctx, db, s, func(s scope) (Ended, bool, error) { return step(ctx, db, s, at) })
}

// all marks all rows of a scope within tx.
func all(ctx context.Context, tx *database.Tx, s scope, at time.Time) (Ended, error) {
	return each(ctx, tx, s, func(s scope) (Ended, bool, error) { return rows(ctx, tx, s, at) })
}

// each marks the rows of a scope with mark, which reports whether there may be more of them.
func each(
	ctx context.Context, db database.Runner, s scope, mark func(s scope) (Ended, bool, error),
) (Ended, error) {
	var total Ended
	s, ended, err := find(ctx, db, s)
	if err != nil || !ended {
		return total, err
	}

	for {
		ended, more, err := mark(s)
		total.add(ended)
		if err != nil {
			return total, err
		}
		if !more {
			return total, done(ctx, db, s)
		}
	}
}

// find reads how often the access of a scope has been ended. ended is false if it never was.
func find(ctx context.Context, db database.Runner, s scope) (found scope, ended bool, err error) {
	const query = `SELECT user_id, tenant_id, client_id, ends FROM access_ends WHERE user_id = $1 AND tenant_id = $2 AND client_id = $3`
	err = db.Get(ctx, "access_ends.find", &found, query, s.UserID, s.TenantID, s.ClientID)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	return found, err == nil, err
}

func done(ctx context.Context, db database.Runner, s scope) error {
	// The condition leaves out an end that came in between; that one is finished on its own.
	const finished = `
UPDATE access_ends SET finished = $4 WHERE user_id = $1 AND tenant_id = $2 AND client_id = $3 AND finished < $4`
	_, err := db.Exec(ctx, "access_ends.finish", finished, s.UserID, s.TenantID, s.ClientID, s.Ends)
	return err
}

// step marks rows in one short transaction. more says that there may be further rows.
func step(ctx context.Context, db *database.DB, s scope, at time.Time) (ended Ended, more bool, err error) {
	err = db.TxAgain(ctx, "ending.rows", func(tx *database.Tx) error {
		ended, more, err = rows(ctx, tx, s, at)
		return err
	})
	if err != nil {
		return Ended{}, false, err
	}
	return ended, more, nil
}

// rows marks at most rowsAtOnce sessions and rowsAtOnce grants. Codes that may still become
// grants are handled before the grants: a code that is being redeemed locks its row until its
// grant exists, and so the later statements see the grant.
func rows(ctx context.Context, tx *database.Tx, s scope, at time.Time) (ended Ended, more bool, err error) {
	sessions := 0
	if s.ClientID == "" {
		ids, err := dead(ctx, tx, "sessions", s, "ended_at", directorystore.AccessEnds("x.user_id", "x.tenant_id", ""))
		if err != nil {
			return ended, false, err
		}

		sessions = len(ids)
		done, err := sessionstore.EndAll(ctx, tx, ids, at)
		if err != nil {
			return ended, false, err
		}

		ended.Sessions, ended.Notices = done.Sessions, done.Notices
	}

	if ended.Pending, err = expire(ctx, tx, s, at); err != nil {
		return ended, false, err
	}

	ids, err := dead(ctx, tx, "grants", s, "revoked_at",
		directorystore.AccessEnds("x.user_id", "x.tenant_id", "x.client_id"))
	if err != nil {
		return ended, false, err
	}

	revoked, notices, err := revoke(ctx, tx, ids, at)
	if err != nil {
		return ended, false, err
	}

	ended.Grants += revoked
	ended.Notices += notices
	return ended, sessions == rowsAtOnce || len(ids) == rowsAtOnce, nil
}

// dead returns the ids of rows that carry a count other than the current one and aren't marked.
func dead(ctx context.Context, tx *database.Tx, table string, s scope, mark, current string) (ids []string, err error) {
	condition, args := s.where(1)
	query := fmt.Sprintf(`SELECT x.id FROM %s x WHERE %s AND x.%s IS NULL AND x.ends <> %s ORDER BY x.id LIMIT %d`,
		table, condition, mark, current, rowsAtOnce)
	err = tx.Select(ctx, table+".dead", &ids, query, args...)
	return ids, err
}

// expire makes unused codes expire, and the requests of an application. A request that a person
// has answered is bound to their session, and is asked again without it.
func expire(ctx context.Context, tx *database.Tx, s scope, at time.Time) (expired int, err error) {
	tables := []string{"authorization_codes", "device_codes"}
	if s.ClientID != "" {
		tables = append(tables, "authorization_requests")
	}

	condition, args := s.where(2)
	for _, table := range tables {
		dead := ` AND x.ends <> ` + directorystore.AccessEnds("x.user_id", "x.tenant_id", "x.client_id")
		if table == "authorization_requests" {
			dead = ""
		}

		query := fmt.Sprintf(`UPDATE %s AS x SET expires_at = x.created_at WHERE %s AND x.consumed_at IS NULL AND x.expires_at > $1%s`,
			table, condition, dead)
		n, err := tx.Exec(ctx, table+".end", query, append([]any{database.At(at)}, args...)...)
		if err != nil {
			return expired, err
		}
		expired += int(n)
	}

	return expired, nil
}

// queueNotices queues a notice for the application of each grant that was just revoked, if it
// wants to be told of logouts. While the grant's session goes on, the notice is for the
// session. Otherwise it is for the person (OpenID Connect Back-Channel Logout 1.0 2.4, a token
// with sub alone), as the application may know the access by no session any more: a device's
// grant never had one, and an offline grant may have outlived its own by months. An application
// that still has other live access to the person keeps that, so it gets the id of the session
// that the grant was given in, if there was one. A session that ended together with the grant
// has a notice already.
var queueNotices = `
INSERT INTO logout_outbox (id, client_id, uri, user_id, session_id, created_at, next_attempt_at)
SELECT DISTINCT CASE WHEN n.session_id = '' THEN n.user_id ELSE n.session_id END || ':' || n.client_id,
       n.client_id, n.uri, n.user_id, n.session_id, n.revoked_at, n.revoked_at
FROM (
  SELECT g.client_id, g.user_id, g.revoked_at, a.backchannel_logout_uri AS uri, g.others,
         CASE WHEN g.others OR (s.id IS NOT NULL AND s.ended_at IS NULL) THEN g.session_id ELSE '' END AS session_id
  FROM (
    SELECT r.client_id, r.user_id, r.session_id, r.revoked_at, EXISTS (
      SELECT 1 FROM grants x WHERE x.user_id = r.user_id AND x.client_id = r.client_id AND x.revoked_at IS NULL
        AND x.expires_at > r.revoked_at AND x.ends = ` +
	directorystore.AccessEnds("x.user_id", "x.tenant_id", "x.client_id") + `) AS others
    FROM grants r WHERE r.revoked_at = $1 AND r.id %s
  ) g JOIN applications a ON a.client_id = g.client_id LEFT JOIN sessions s ON s.id = g.session_id
  WHERE a.backchannel_logout_uri <> '' AND (s.ended_at IS NULL OR s.ended_at <> g.revoked_at)
) n
WHERE n.session_id <> '' OR NOT n.others
ON CONFLICT DO NOTHING`

// revoke marks grants, and queues logout notices for the applications that want them.
func revoke(ctx context.Context, tx *database.Tx, ids []string, at time.Time) (revoked, notices int, err error) {
	if len(ids) == 0 {
		return 0, 0, nil
	}

	in, args := database.In(2, ids)
	args = append([]any{database.At(at)}, args...)
	n, err := tx.Exec(ctx, "grants.end",
		`UPDATE grants SET revoked_at = $1 WHERE revoked_at IS NULL AND id `+in, args...)
	if err != nil {
		return 0, 0, err
	}

	queued, err := tx.Exec(ctx, "logout_outbox.queue_grants", fmt.Sprintf(queueNotices, in), args...)
	return int(n), int(queued), err
}
