package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// Take counts an attempt before it is made. It adds a failure to each claim and returns the
// zero time or, if a key is blocked, adds none and returns until when. Of any number of
// concurrent callers, on any number of replicas, no more get through than the rules have free
// failures. An attempt that turns out not to be a failure is given back with GiveBack or Clear.
func (s *Store) Take(
	ctx context.Context, now time.Time, claims ...limits.Claim,
) (taken []limits.Taken, until time.Time, err error) {
	keys := make([]limits.Key, len(claims))
	for i := range claims {
		keys[i] = claims[i].Key
	}

	// Check for blocks first, so that a flood of refused attempts can't become a flood of
	// writes.
	until, err = s.Blocked(ctx, now, keys...)
	if err != nil || !until.IsZero() {
		return nil, until, err
	}

	taken, err = s.take(ctx, now, claims)
	if err != nil || len(taken) == len(claims) {
		return taken, time.Time{}, err
	}

	// Another attempt has blocked a key in the meantime.
	if err := s.GiveBack(ctx, taken...); err != nil {
		return nil, time.Time{}, err
	}

	if until, err = s.Blocked(ctx, now, keys...); until.IsZero() {
		until = now.Add(limits.FirstDelay) // that attempt has been given back by now
	}

	return nil, until, err
}

type takenRow struct {
	Key      []byte        `db:"key"`
	Failures int           `db:"failures"`
	Until    database.Time `db:"blocked_until"`
}

// take counts, in one statement, every row that isn't blocked at the moment it is locked, and
// returns those it counted.
func (s *Store) take(ctx context.Context, now time.Time, claims []limits.Claim) ([]limits.Taken, error) {
	if len(claims) == 0 {
		return nil, nil
	}

	// Lock rows in the order of their keys, so that two attempts can't deadlock.
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b limits.Claim) int { return bytes.Compare(a.Key, b.Key) })

	args := []any{database.At(now)}
	asked := make([]string, len(claims))
	for i, c := range claims {
		asked[i] = s.values(len(args)+1, "bytea", "bytea", "bigint", "bigint", "bigint", "bigint")
		args = append(args, []byte(c.Key), []byte(c.Subject), c.Rule.Failures,
			c.Rule.First().Microseconds(), c.Rule.Longest().Microseconds(), c.Rule.Window.Microseconds())
	}

	var rows []takenRow
	statement := fmt.Sprintf(s.takeMany, strings.Join(asked, ", "))
	var err error
	if s.db.Dialect() == database.Postgres {
		err = s.db.Select(ctx, "limits.take", &rows, statement, args...)
	} else { // SQLite has one writer
		err = s.db.Tx(ctx, "limits.take", func(tx *database.Tx) error {
			return tx.Select(ctx, "limits.take", &rows, statement, args...)
		})
	}

	taken := make([]limits.Taken, len(rows))
	for i, row := range rows {
		taken[i] = limits.Taken{Key: row.Key, Failures: row.Failures, Until: row.Until.Time}
	}

	return taken, err
}

// takeStatement returns the statement that counts the rows of asked, whose values replace %s.
// $1 is now.
func takeStatement(d database.Dialect) string {
	of := func(column string) string { return "(SELECT a." + column + " FROM asked a WHERE a.key = l.key)" }
	fresh := counting(d, "$1", "1", "free", "first", "longest", "span")
	const again = "CASE WHEN l.expires_at > $1 THEN l.failures + 1 ELSE 1 END"
	more := counting(d, "$1", again, of("free"), of("first"), of("longest"), of("span"))

	return `WITH asked (key, subject, free, first, longest, span) AS (VALUES %s)
INSERT INTO limits AS l (key, subject, failures, blocked_until, expires_at)
SELECT key, subject, 1, ` + fresh.until + `, ` + fresh.forget + ` FROM asked WHERE true ORDER BY key
ON CONFLICT (key) DO UPDATE SET failures = ` + again + `, subject = coalesce(excluded.subject, l.subject),
    blocked_until = ` + more.until + `, expires_at = ` + more.forget + `
WHERE l.blocked_until IS NULL OR l.blocked_until <= $1
RETURNING key, failures, blocked_until`
}

// GiveBack takes back attempts that weren't failures, with the blocks that they started.
func (s *Store) GiveBack(ctx context.Context, taken ...limits.Taken) error {
	if len(taken) == 0 {
		return nil
	}

	var args []any
	given := make([]string, len(taken))
	for i, t := range taken {
		given[i] = s.values(len(args)+1, "bytea", s.timeType)
		args = append(args, []byte(t.Key), database.At(t.Until))
	}

	_, err := s.db.Exec(ctx, "limits.give_back", fmt.Sprintf(s.giveBack, strings.Join(given, ", ")), args...)

	return err
}

func giveBackStatement(d database.Dialect) string {
	const until = "(SELECT g.until FROM given g WHERE g.key = limits.key)"
	return `WITH given (key, until) AS (VALUES %s)
UPDATE limits SET failures = failures - 1,
    blocked_until = CASE WHEN blocked_until = ` + until + ` THEN NULL ELSE blocked_until END
WHERE failures > 0 AND key ` + inOrder(d, "key IN (SELECT key FROM given)")
}

// Clear resets the failures of keys.
func (s *Store) Clear(ctx context.Context, keys ...limits.Key) error {
	if len(keys) == 0 {
		return nil
	}

	places, args := keyList(1, keys)
	_, err := s.db.Exec(ctx, "limits.clear",
		`DELETE FROM limits WHERE key `+inOrder(s.db.Dialect(), "key IN ("+places+")"), args...)

	return err
}

// inOrder selects the rows that match a condition. On PostgreSQL they are locked in the order
// of their keys, as in take.
func inOrder(d database.Dialect, condition string) string {
	if d == database.Postgres {
		return "= ANY (ARRAY(SELECT key FROM limits WHERE " + condition + " ORDER BY key FOR UPDATE))"
	}

	return "IN (SELECT key FROM limits WHERE " + condition + ")"
}

// values returns one row of a VALUES list, whose first parameter has the number from.
// PostgreSQL is told the types.
func (s *Store) values(from int, types ...string) string {
	places := make([]string, len(types))
	for i, of := range types {
		places[i] = fmt.Sprintf("$%d", from+i)
		if s.db.Dialect() == database.Postgres {
			places[i] += "::" + of
		}
	}

	return "(" + strings.Join(places, ", ") + ")"
}

func keyList(from int, keys []limits.Key) (places string, args []any) {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = fmt.Sprintf("$%d", from+i)
		args = append(args, []byte(key))
	}

	return strings.Join(list, ", "), args
}
