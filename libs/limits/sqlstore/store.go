package sqlstore

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// Store counts failures.
type Store struct {
	db       *database.DB
	fail     string
	takeMany string
	giveBack string
	timeType string
}

// New returns a store.
func New(db *database.DB) *Store {
	return &Store{
		db:       db,
		fail:     failStatement(db.Dialect()),
		takeMany: takeStatement(db.Dialect()),
		giveBack: giveBackStatement(db.Dialect()),
		timeType: "timestamptz",
	}
}

// count is the SQL for the consequences of a number of failures.
type count struct {
	until  string // when the block ends; NULL for no block
	forget string // when the failures stop counting
}

// counting returns a limit's rule as SQL. Its arguments are SQL expressions: now, the number of
// failures, the free failures, the first and longest delay and the window, the last three in
// microseconds.
//
// The delay is doubled by shifting. 20 doublings turn a second into nearly two weeks, and the
// longest delay that doesn't overflow is 100 days.
func counting(d database.Dialect, now, failures, free, first, longest, window string) count {
	after := func(start, microseconds string) string { return "(" + start + " + (" + microseconds + "))" }
	least := "min"
	if d == database.Postgres {
		after = func(start, microseconds string) string {
			return "(" + start + " + (" + microseconds + ") * interval '1 microsecond')"
		}
		now, least = now+"::timestamptz", "least"
	}

	big := func(expression string) string { return "CAST(" + expression + " AS bigint)" }
	shift := "CAST(" + least + "(" + failures + " - " + big(free) + ", 20) AS integer)"
	delay := least + "(" + big(longest) + ", " + big(first) + " << " + shift + ")"
	until := "CASE WHEN " + failures + " >= " + big(free) + " THEN " + after(now, delay) + " END"

	return count{until: until, forget: after("coalesce("+until+", "+now+")", big(window))}
}

// failStatement returns the statement that counts a failure and returns until when the key is
// blocked. $1 is the key, $2 now, $3 the free failures, $4 and $5 the first and longest delay
// and $6 the window, in microseconds.
func failStatement(d database.Dialect) string {
	const again = "CASE WHEN l.expires_at > $2 THEN l.failures + 1 ELSE 1 END"
	fresh := counting(d, "$2", "1", "$3", "$4", "$5", "$6")
	more := counting(d, "$2", again, "$3", "$4", "$5", "$6")

	return `INSERT INTO limits AS l (key, failures, blocked_until, expires_at)
VALUES ($1, 1, ` + fresh.until + `, ` + fresh.forget + `)
ON CONFLICT (key) DO UPDATE SET failures = ` + again + `, blocked_until = ` + more.until + `, expires_at = ` +
		more.forget + `
RETURNING blocked_until`
}

// Fail counts a failure of a key and returns until when the key is now blocked, or the zero
// time if it isn't. Concurrent failures all count.
func (s *Store) Fail(
	ctx context.Context, now time.Time, rule limits.Rule, key limits.Key,
) (until time.Time, err error) {
	var blocked database.Time
	err = s.db.Returning(ctx, "limits.fail", &blocked, s.fail, []byte(key), database.At(now), rule.Failures,
		rule.First().Microseconds(), rule.Longest().Microseconds(), rule.Window.Microseconds())
	return blocked.Time, err
}

// Blocked returns until when the keys are blocked, the latest time among them, or the zero time
// if none is.
func (s *Store) Blocked(ctx context.Context, now time.Time, keys ...limits.Key) (until time.Time, err error) {
	if len(keys) == 0 {
		return time.Time{}, nil
	}

	places, args := keyList(2, keys)
	var blocked database.Time
	err = s.db.Get(ctx, "limits.blocked", &blocked,
		`SELECT max(blocked_until) FROM limits WHERE blocked_until > $1 AND key IN (`+places+`)`,
		append([]any{database.At(now)}, args...)...)
	return blocked.Time, err
}

// DeleteExpired removes at most batch keys that have been quiet for their window, and returns
// how many it removed.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, batch int) (int, error) {
	return s.db.DeleteDue(ctx, "limits", "key", "expires_at <= $1", now, batch)
}
