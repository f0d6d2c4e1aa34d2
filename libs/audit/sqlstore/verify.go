package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Problem is something that Verify found wrong.
type Problem struct {
	Day     string `json:"day"`
	Service string `json:"service,omitempty"`
	Chain   string `json:"chain,omitempty"`
	Seq     int64  `json:"seq,omitempty"`
	ID      string `json:"id,omitempty"`
	What    string `json:"problem"`
}

// Report is the summary of what Verify checked.
type Report struct {
	Events    int64  `json:"events"`           // rows whose hashes were computed
	Chains    int64  `json:"chains"`           //
	Unchained int64  `json:"unchained"`        // rows of versions without chains: only their number is sealed
	Sealed    int64  `json:"sealed_days"`      //
	Open      int64  `json:"open_days"`        // days with rows and no seal: the end of a chain may be missing
	Removed   string `json:"removed_before"`   // the day before which rows were removed as too old; empty: none
	Problems  int64  `json:"problems"`         //
	LastDay   string `json:"last_sealed_day"`  // and its hash, which stands for all days before it: keep it elsewhere
	LastHash  string `json:"last_sealed_hash"` //
}

// Verify checks the rows of all days from the day of from to that of to, and calls each for
// every inconsistency: rows that were changed, removed, moved or added. It holds no more than
// the chains of one day in memory. Zero times select everything; only then does it notice days
// of which no trace is left.
func Verify(ctx context.Context, db database.Runner, from, to time.Time, each func(Problem) error) (*Report, error) {
	v := &verifier{
		db:     db,
		each:   each,
		said:   map[string]string{},
		sealed: map[string]string{},
	}
	if err := v.bounds(ctx, from, to); err != nil || v.first.IsZero() {
		return &v.report, err
	}

	for day := v.first; !day.After(v.last); day = day.AddDate(0, 0, 1) {
		if err := v.day(ctx, day); err != nil {
			return nil, err
		}
	}

	return &v.report, v.events()
}

type verifier struct {
	db          database.Runner
	each        func(Problem) error
	first, last time.Time
	removed     time.Time // rows before may be gone
	report      Report

	previous []byte            // the hash of the day before
	began    bool              // whether there was a sealed day before
	sealed   map[string]string // hash by day
	said     map[string]string // hash by day, according to trail.sealed events
}

func (v *verifier) problem(p Problem) error {
	v.report.Problems++
	return v.each(p)
}

// bounds determines the first and last day, and up to where rows were removed.
func (v *verifier) bounds(ctx context.Context, from, to time.Time) error {
	var times []database.Time
	err := v.db.Select(ctx, "audit.ends", &times, `SELECT at FROM (SELECT at FROM audit_events ORDER BY at LIMIT 1) f
		UNION ALL SELECT at FROM (SELECT at FROM audit_events ORDER BY at DESC LIMIT 1) l`)
	if err != nil {
		return err
	}

	var days []string
	err = v.db.Select(ctx, "audit.sealed", &days,
		`SELECT day FROM audit_seals WHERE service = '' AND chain = '' AND day IN
		((SELECT min(day) FROM audit_seals), (SELECT max(day) FROM audit_seals))`)
	if err != nil {
		return err
	}

	for _, day := range days {
		at, _, err := dayBounds(day)
		if err != nil {
			return fmt.Errorf("audit: a seal of the day %q: %w", day, err)
		}
		times = append(times, database.At(at))
	}

	for _, at := range times {
		day := at.UTC().Truncate(24 * time.Hour)
		if v.first.IsZero() || day.Before(v.first) {
			v.first = day
		}
		if day.After(v.last) {
			v.last = day
		}
	}

	if day := from.UTC().Truncate(24 * time.Hour); !from.IsZero() && day.After(v.first) {
		v.first = day
	}

	if day := to.UTC().Truncate(24 * time.Hour); !to.IsZero() && day.Before(v.last) {
		v.last = day
	}

	return v.shortened(ctx)
}

func (v *verifier) shortened(ctx context.Context) error {
	var details []database.JSON[map[string]string]
	err := v.db.Select(ctx, "audit.shortened", &details, `SELECT detail FROM audit_events WHERE kind = $1`,
		string(audit.TrailShortened))
	for _, d := range details {
		before, _, err := dayBounds(d.V["before"])
		if err == nil && before.After(v.removed) {
			v.removed, v.report.Removed = before, d.V["before"]
		}
	}
	return err
}

func (v *verifier) day(ctx context.Context, at time.Time) error {
	day := at.Format(audit.DayFormat)
	seals, err := sealsOf(ctx, v.db, day)
	if err != nil {
		return err
	}

	if err := v.seal(ctx, day, seals); err != nil {
		return err
	}

	if at.Before(v.removed) {
		return nil
	}

	rows := v.report.Events
	w := newDayWalk(v, day, seals)
	if err := w.chains(ctx); err != nil {
		return err
	}

	if err := w.unchained(ctx, at); err != nil {
		return err
	}

	if len(seals) == 0 && v.report.Events > rows {
		v.report.Open++
	}

	return nil
}

// seal checks that a day's seals are unchanged and follow the day before.
func (v *verifier) seal(ctx context.Context, day string, seals []seal) error {
	if len(seals) == 0 {
		var later int
		err := v.db.Get(ctx, "audit.later", &later,
			`SELECT count(*) FROM (SELECT day FROM audit_seals WHERE day > $1 LIMIT 1) l`, day)
		if err != nil || later == 0 || !v.began {
			return err
		}
		return v.problem(Problem{Day: day, What: "the seal of the day was removed: later days have one"})
	}

	if err := v.dayBefore(ctx, day); err != nil {
		return err
	}

	v.report.Sealed++
	whole := seals[0] // it sorts before all others
	if !whole.ofDay() {
		return v.problem(Problem{Day: day, What: "the seal of the day as a whole was removed"})
	}

	if !bytes.Equal(dayHash(v.previous, day, seals), whole.Hash) {
		if err := v.problem(Problem{
			Day:  day,
			What: "the seals of the day were changed, or those of the day before",
		}); err != nil {
			return err
		}
	}

	v.previous = whole.Hash
	v.report.LastDay, v.report.LastHash = day, hex.EncodeToString(whole.Hash)
	v.sealed[day] = v.report.LastHash
	return nil
}

// dayBefore reads the hash of the day before the first one checked.
func (v *verifier) dayBefore(ctx context.Context, day string) error {
	if v.began {
		return nil
	}

	v.began = true
	err := v.db.Get(ctx, "audit.seal_before", &v.previous,
		`SELECT hash FROM audit_seals WHERE service = '' AND chain = '' AND day < $1 ORDER BY day DESC LIMIT 1`, day)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}

	return err
}

// events compares the seals with the trail's own events about them.
func (v *verifier) events() error {
	for _, day := range slices.Sorted(maps.Keys(v.said)) {
		if hash, sealed := v.sealed[day]; sealed && hash != v.said[day] {
			if err := v.problem(Problem{
				Day:  day,
				What: "the seal of the day differs from the one in the trail (trail.sealed)",
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
