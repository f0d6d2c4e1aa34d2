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
	// LeastRetention is the age that a row must reach before it can be removed, whatever the
	// configuration says. The database enforces it too.
	LeastRetention = 30 * 24 * time.Hour
	// sealAfter is how long after its end a day is sealed. By then, writes that started during
	// the day have finished.
	sealAfter = time.Hour
	// sealDays is the maximum number of days sealed by one call.
	sealDays = 31
	// monthsAhead is how many of the trail's partitions are created before they are needed.
	monthsAhead = 2
)

// Upkeep does the work of the trail's owner, the keys service: it creates the partitions for
// the coming months, seals past days and removes rows that are too old. Several replicas may do
// so at once.
type Upkeep struct {
	db        *database.DB
	service   string
	now       func() time.Time
	random    io.Reader
	retention time.Duration

	announced time.Time // the time up to which the trail already announces removals
}

// NewUpkeep returns the upkeep done by service. It removes rows older than retention; if that
// is 0, none.
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

// Months creates the partitions for this month and the next ones, on PostgreSQL, and returns
// how many it created.
func (u *Upkeep) Months(ctx context.Context, _ time.Time, _ int) (made int, err error) {
	if u.db.Dialect() != database.Postgres {
		return 0, nil
	}
	err = u.db.Returning(ctx, "audit.months", &made, `SELECT keep_audit_months($1)`, monthsAhead)
	return made, err
}

// Seal seals past days in order, and returns how many it sealed.
func (u *Upkeep) Seal(ctx context.Context, now time.Time, _ int) (int, error) {
	day, err := u.firstUnsealed(ctx)
	if err != nil || day.IsZero() {
		return 0, err
	}

	sealed := 0
	for ; sealed < sealDays && !now.Before(day.AddDate(0, 0, 1).Add(sealAfter)); day = day.AddDate(0, 0, 1) {
		err := u.db.Tx(ctx, "audit.seal", func(tx *database.Tx) error { return u.sealDay(ctx, tx, day) })
		if database.Classify(ctx, err) == database.KindConflict {
			return sealed, nil // another replica sealed it
		}
		if err != nil {
			return sealed, err
		}

		sealed++
	}

	return sealed, nil
}

// firstUnsealed returns the day after the last sealed one, or else the first day with any rows;
// zero if the trail is empty.
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

// Shorten removes at most batch rows that are too old, on PostgreSQL whole months at a time if
// possible, and returns how many. It first announces the removal in the trail, so that Verify
// doesn't report the rows as missing.
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

// bound returns the time before which rows are too old. It is the start of a day or, on
// PostgreSQL, of a month, so that whole partitions are removed.
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
