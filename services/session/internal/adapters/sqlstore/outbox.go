package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

var _ ports.Outbox = (*Store)(nil)

// keepUndelivered is how long an undelivered notice is kept for inspection.
const keepUndelivered = 7 * 24 * time.Hour

const (
	due     = `gave_up_at IS NULL AND next_attempt_at <= $1`
	toClaim = `UPDATE logout_outbox SET attempts = attempts + 1, next_attempt_at = $2 WHERE id `
	claimed = ` RETURNING id, client_id, user_id, session_id, created_at, attempts`

	// Within each application, the notices that have been due longest rank first and, among
	// equals, those tried most often, so that the pauses of an application that doesn't answer
	// grow. Of the best-ranked notices, those due longest are taken. %s is the condition that
	// leaves out applications.
	ranked = `SELECT r.id FROM (SELECT id, client_id, next_attempt_at,
       row_number() OVER (PARTITION BY client_id ORDER BY next_attempt_at, attempts DESC, id) AS place
    FROM logout_outbox WHERE ` + due + `%s) r
WHERE r.place <= $4 ORDER BY r.next_attempt_at, r.id LIMIT $3`

	// The ids are an array so that they are found and locked once; a joined subquery might be
	// evaluated again for each row.
	claimPostgres = toClaim + `= ANY (ARRAY(SELECT id FROM logout_outbox WHERE ` + due + ` AND id = ANY (ARRAY(` +
		ranked +
		`)) ORDER BY id FOR UPDATE SKIP LOCKED))` + claimed
	claimSQLite = toClaim + `IN (` + ranked + `)` + claimed
)

type noticeRow struct {
	ID        string        `db:"id"`
	ClientID  string        `db:"client_id"`
	UserID    string        `db:"user_id"`
	SessionID string        `db:"session_id"`
	CreatedAt database.Time `db:"created_at"`
	Attempts  int           `db:"attempts"`
}

// Claim takes notices that are due. On PostgreSQL it is one statement, and replicas skip
// each other's rows. SQLite has a single writer, so there it is one transaction, and none
// if nothing is due.
func (s *Store) Claim(ctx context.Context, c ports.NoticeClaim) ([]ports.LogoutNotice, error) {
	var rows []noticeRow
	args := []any{database.At(c.Now), database.At(c.Until), c.Most, c.PerApplication}
	except := ""
	if len(c.Except) > 0 {
		places := make([]string, len(c.Except))
		for i, clientID := range c.Except {
			args = append(args, clientID)
			places[i] = "$" + strconv.Itoa(len(args))
		}
		except = " AND client_id NOT IN (" + strings.Join(places, ", ") + ")"
	}

	if s.db.Dialect() == database.Postgres {
		if err := s.db.Select(ctx, "logout_outbox.claim", &rows,
			fmt.Sprintf(claimPostgres, except), args...); err != nil {
			return nil, err
		}
		return notices(rows), nil
	}

	var some bool
	if err := s.db.Get(ctx, "logout_outbox.due", &some, `SELECT EXISTS (SELECT 1 FROM logout_outbox WHERE `+due+`)`,
		args[0]); err != nil || !some {
		return nil, err
	}

	err := s.db.Tx(ctx, "logout_outbox.claim", func(tx *database.Tx) error {
		return tx.Select(ctx, "logout_outbox.claim", &rows, fmt.Sprintf(claimSQLite, except), args...)
	})
	if err != nil {
		return nil, err
	}

	return notices(rows), nil
}

func notices(rows []noticeRow) []ports.LogoutNotice {
	list := make([]ports.LogoutNotice, len(rows))
	for i, r := range rows {
		list[i] = ports.LogoutNotice{
			ID:        r.ID,
			ClientID:  r.ClientID,
			UserID:    r.UserID,
			SessionID: r.SessionID,
			CreatedAt: r.CreatedAt.Time,
			Attempts:  r.Attempts,
		}
	}

	return list
}

// Remove deletes a notice.
func (s *Store) Remove(ctx context.Context, id string) (bool, error) {
	n, err := s.db.Exec(ctx, "logout_outbox.remove", `DELETE FROM logout_outbox WHERE id = $1`, id)
	return n == 1, err
}

// stillOurs matches the notice only if the number of attempts shows that it is still the
// caller's.
const stillOurs = ` WHERE id = $1 AND attempts = $2 AND gave_up_at IS NULL`

// Postpone moves the next attempt of the notice, and of all others waiting for the same
// application, since those would fail as well and occupy slots meanwhile.
func (s *Store) Postpone(ctx context.Context, n ports.LogoutNotice, now, until time.Time) error {
	ours, err := s.db.Exec(ctx, "logout_outbox.postpone", `UPDATE logout_outbox SET next_attempt_at = $3`+stillOurs,
		n.ID, n.Attempts, database.At(until))
	if err != nil || ours == 0 {
		return err
	}

	lock := ""
	if s.db.Dialect() == database.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}

	_, err = s.db.Exec(ctx, "logout_outbox.postpone_others",
		`UPDATE logout_outbox SET next_attempt_at = $2 WHERE id IN (SELECT id FROM logout_outbox WHERE `+due+
			` AND client_id = $3`+lock+`)`,
		database.At(now), database.At(until), n.ClientID)

	return err
}

// GiveUp marks a notice as undelivered.
func (s *Store) GiveUp(ctx context.Context, n ports.LogoutNotice, at time.Time) (bool, error) {
	changed, err := s.db.Exec(ctx, "logout_outbox.give_up", `UPDATE logout_outbox SET gave_up_at = $3`+stillOurs, n.ID,
		n.Attempts, database.At(at))
	return changed == 1, err
}

type stateRow struct {
	Waiting     int           `db:"waiting"`
	Oldest      database.Time `db:"oldest"`
	Undelivered int           `db:"undelivered"`
}

// State summarizes the outbox.
func (s *Store) State(ctx context.Context) (ports.OutboxState, error) {
	const count = `SELECT count(*) FILTER (WHERE gave_up_at IS NULL) AS waiting, min(created_at) FILTER (WHERE gave_up_at IS NULL) AS oldest,
       count(gave_up_at) AS undelivered FROM logout_outbox`
	var row stateRow
	err := s.db.Get(ctx, "logout_outbox.state", &row, count)
	return ports.OutboxState{Waiting: row.Waiting, Oldest: row.Oldest.Time, Undelivered: row.Undelivered}, err
}

// DeleteUndelivered removes at most batch notices that were given up a week ago, and
// returns how many.
func (s *Store) DeleteUndelivered(ctx context.Context, now time.Time, batch int) (int, error) {
	return s.db.DeleteDue(ctx, "logout_outbox", "id", "gave_up_at < $1", now.Add(-keepUndelivered), batch)
}
