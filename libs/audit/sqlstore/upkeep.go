package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

const (
	// LeastRetention is how young a row is at most that nothing removes, whatever the
	// configuration says. The database knows it, too.
	LeastRetention = 30 * 24 * time.Hour
	// sealAfter is how long after its end a day is sealed: what began in it has been
	// written by then.
	sealAfter = time.Hour
	// sealDays is how many days one call seals at most.
	sealDays = 31
	// monthsAhead is how many parts of the trail are made before they are needed.
	monthsAhead = 2
)

// Upkeep is what the owner of the trail does, the keys service: it makes the parts
// of the months to come, seals the days that are over and removes what is too old.
// Several replicas may do so at once.
type Upkeep struct {
	db        *database.DB
	service   string
	now       func() time.Time
	random    io.Reader
	retention time.Duration

	announced time.Time // up to when rows go, as the trail says already
}

// NewUpkeep makes the upkeep that service does, of rows older than retention; 0: none
// are ever removed.
func NewUpkeep(
	db *database.DB, service string, now func() time.Time, random io.Reader, retention time.Duration,
) *Upkeep {
	return &Upkeep{
		db:        db,
		service:   service,
		now:       now,
		random:    random,
		retention: retention,
	}
}

// Months makes the parts of this month and the next, on PostgreSQL, and returns how
// many it made.
func (u *Upkeep) Months(ctx context.Context, _ time.Time, _ int) (made int, err error) {
	if u.db.Dialect() != database.Postgres {
		return 0, nil
	}
	err = u.db.Returning(ctx, "audit.months", &made, `SELECT keep_audit_months($1)`, monthsAhead)
	return made, err
}

// Seal seals the days that are over, in order, and returns how many it sealed.
func (u *Upkeep) Seal(ctx context.Context, now time.Time, _ int) (int, error) {
	day, err := u.firstUnsealed(ctx)
	if err != nil || day.IsZero() {
		return 0, err
	}

	sealed := 0
	for ; sealed < sealDays && !now.Before(day.AddDate(0, 0, 1).Add(sealAfter)); day = day.AddDate(0, 0, 1) {
		err := u.db.Tx(ctx, "audit.seal", func(tx *database.Tx) error { return u.sealDay(ctx, tx, day) })
		if database.Classify(ctx, err) == database.KindConflict {
			return sealed, nil // another replica did
		}
		if err != nil {
			return sealed, err
		}

		sealed++
	}

	return sealed, nil
}

// firstUnsealed is the day after the last that is sealed, else the first that holds
// anything; zero when the trail is empty.
func (u *Upkeep) firstUnsealed(ctx context.Context) (time.Time, error) {
	var last string
	err := u.db.Get(ctx, "audit.last_seal", &last, `SELECT coalesce(max(day), '') FROM audit_seals`)
	if err != nil {
		return time.Time{}, err
	}

	if last != "" {
		_, next, err := dayBounds(last)
		return next, err
	}

	var first database.Time
	err = u.db.Get(ctx, "audit.first", &first, `SELECT at FROM audit_events ORDER BY at LIMIT 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}

	return first.UTC().Truncate(24 * time.Hour), err
}

func (u *Upkeep) sealDay(ctx context.Context, tx *database.Tx, from time.Time) error {
	day := from.Format(audit.DayFormat)
	var before []byte
	err := tx.Get(ctx, "audit.seal_before", &before,
		`SELECT hash FROM audit_seals WHERE service = '' AND chain = '' AND day < $1 ORDER BY day DESC LIMIT 1`, day)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}

	seals, err := heads(ctx, tx, from, from.AddDate(0, 0, 1))
	if err != nil {
		return err
	}

	whole := seal{Hash: dayHash(before, day, seals)}
	for _, s := range seals {
		whole.Events += s.Events
	}

	const insert = `INSERT INTO audit_seals (` + sealColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	for _, s := range append([]seal{whole}, seals...) { // that of the day first: it decides between replicas
		if s.Hash == nil {
			s.Hash = []byte{}
		}

		_, err := tx.Exec(ctx, "audit.seal", insert, day, s.Service, s.Chain, s.FirstSeq, s.LastSeq, s.Events,
			s.Hash, database.At(u.now()))
		if err != nil {
			return err
		}
	}

	return New(tx, u.service, u.now, u.random).Record(ctx, audit.Event{
		Kind: audit.TrailSealed,
		Detail: map[string]string{
			"day":      day,
			"chains":   strconv.Itoa(len(seals)),
			"events":   strconv.FormatInt(whole.Events, 10),
			"hash":     hex.EncodeToString(whole.Hash),
			"previous": hex.EncodeToString(before),
		},
	})
}

// Shorten removes at most batch rows that are too old, on PostgreSQL whole months at
// a time where it can, and returns how many. What it is about to remove is said in
// the trail first, so that Verify misses nothing.
func (u *Upkeep) Shorten(ctx context.Context, now time.Time, batch int) (removed int, err error) {
	if u.retention <= 0 {
		return 0, nil
	}

	before := u.bound(now)
	var old int
	err = u.db.Get(ctx, "audit.old", &old,
		`SELECT count(*) FROM (SELECT at FROM audit_events WHERE at < $1 LIMIT 1) o`, database.At(before))
	if err != nil || old == 0 {
		return 0, err
	}

	err = u.db.Tx(ctx, "audit.shorten", func(tx *database.Tx) error {
		if removed, err = u.remove(ctx, tx, before, batch); err != nil || before.Equal(u.announced) {
			return err
		}
		return New(tx, u.service, u.now, u.random).Record(ctx, audit.Event{
			Kind: audit.TrailShortened, Detail: map[string]string{"before": before.Format(audit.DayFormat)},
		})
	})
	if err == nil {
		u.announced = before
	}

	return removed, err
}

// bound is the time before which rows are too old: the beginning of a day, on
// PostgreSQL of a month, so that whole parts go.
func (u *Upkeep) bound(now time.Time) time.Time {
	at := now.UTC().Add(-max(u.retention, LeastRetention))
	if u.db.Dialect() == database.Postgres {
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return at.Truncate(24 * time.Hour)
}

func (u *Upkeep) remove(ctx context.Context, tx *database.Tx, before time.Time, batch int) (int, error) {
	if u.db.Dialect() == database.Postgres {
		var removed int
		err := tx.Returning(ctx, "audit.drop", &removed, `SELECT drop_audit_events($1, $2)`, database.At(before), batch)
		return removed, err
	}

	n, err := tx.Exec(ctx, "audit.delete", `DELETE FROM audit_events WHERE id IN
		(SELECT id FROM audit_events WHERE at < $1 ORDER BY at LIMIT $2)`, database.At(before), batch)
	return int(n), err
}
