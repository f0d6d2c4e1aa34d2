package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// Store counts failures.
type Store struct {
	db   *database.DB
	fail string
}

// New makes a store.
func New(db *database.DB) *Store {
	return &Store{db: db, fail: failStatement(db.Dialect())}
}

// failStatement counts a failure and says until when the key is blocked. $1 is
// the key, $2 now, $3 the free failures, $4 and $5 the first and the longest delay
// and $6 the window, in microseconds.
//
// The delay doubles by shifting it; 20 times make a second two weeks, and the
// longest delay that the shift does not overflow is 100 days.
func failStatement(d database.Dialect) string {
	after := func(start, microseconds string) string { return "(" + start + " + (" + microseconds + "))" }
	now, least := "$2", "min"
	if d == database.Postgres {
		after = func(start, microseconds string) string {
			return "(" + start + " + (" + microseconds + ") * interval '1 microsecond')"
		}
		now, least = "$2::timestamptz", "least"
	}
	until := func(failures string) string {
		shift := "CAST(" + least + "(" + failures + " - CAST($3 AS bigint), 20) AS integer)"
		delay := least + "(CAST($5 AS bigint), CAST($4 AS bigint) << " + shift + ")"
		return "CASE WHEN " + failures + " >= CAST($3 AS bigint) THEN " + after(now, delay) + " END"
	}
	forget := func(failures string) string {
		return after("coalesce("+until(failures)+", "+now+")", "CAST($6 AS bigint)")
	}
	const again = "CASE WHEN l.expires_at > $2 THEN l.failures + 1 ELSE 1 END"
	return `INSERT INTO limits AS l (key, failures, blocked_until, expires_at)
VALUES ($1, 1, ` + until("1") + `, ` + forget("1") + `)
ON CONFLICT (key) DO UPDATE SET failures = ` + again + `, blocked_until = ` + until(again) + `, expires_at = ` + forget(again) + `
RETURNING blocked_until`
}

// Fail counts a failure of a key and tells until when the key is blocked now;
// the zero time: it is not. Concurrent failures all count.
func (s *Store) Fail(ctx context.Context, now time.Time, rule limits.Rule, key limits.Key) (until time.Time, err error) {
	var blocked database.Time
	err = s.db.Returning(ctx, "limits.fail", &blocked, s.fail, []byte(key), database.At(now), rule.Failures,
		rule.First().Microseconds(), rule.Longest().Microseconds(), rule.Window.Microseconds())
	return blocked.Time, err
}

// Blocked tells until when one of the keys is blocked, the latest of them; the
// zero time: none is.
func (s *Store) Blocked(ctx context.Context, now time.Time, keys ...limits.Key) (until time.Time, err error) {
	if len(keys) == 0 {
		return time.Time{}, nil
	}
	args := []any{database.At(now)}
	places := make([]string, len(keys))
	for i, key := range keys {
		args = append(args, []byte(key))
		places[i] = fmt.Sprintf("$%d", i+2)
	}
	var blocked database.Time
	err = s.db.Get(ctx, "limits.blocked", &blocked,
		`SELECT max(blocked_until) FROM limits WHERE blocked_until > $1 AND key IN (`+strings.Join(places, ", ")+`)`, args...)
	return blocked.Time, err
}

// Clear forgets the failures of a key.
func (s *Store) Clear(ctx context.Context, key limits.Key) error {
	_, err := s.db.Exec(ctx, "limits.clear", `DELETE FROM limits WHERE key = $1`, []byte(key))
	return err
}

// DeleteExpired removes at most batch keys that have been quiet for their window,
// and says how many it was.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, batch int) (int, error) {
	return s.db.DeleteDue(ctx, "limits", "key", "expires_at <= $1", now, batch)
}
