package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

// dayWalk walks the chains of one day.
type dayWalk struct {
	*verifier
	date   string
	sealed bool
	seals  map[string]seal  // of chains not seen yet
	counts map[string]int64 // sealed rows without a chain, by service

	// The current chain:
	link    audit.Link
	service string
	rows    int64
}

func newDayWalk(v *verifier, day string, seals []seal) *dayWalk {
	w := &dayWalk{
		verifier: v,
		date:     day,
		sealed:   len(seals) > 0,
		seals:    map[string]seal{},
		counts:   map[string]int64{},
	}
	for _, s := range seals {
		switch {
		case s.ofDay():
		case s.Chain == "":
			w.counts[s.Service] = s.Events
		default:
			w.seals[s.Chain] = s
		}
	}

	return w
}

func (w *dayWalk) problem(seq int64, id, format string, args ...any) error {
	return w.verifier.problem(Problem{
		Day:     w.date,
		Service: w.service,
		Chain:   w.link.Chain,
		Seq:     seq,
		ID:      id,
		What:    fmt.Sprintf(format, args...),
	})
}

// chains reads the rows of the day's chains in order, one page at a time.
func (w *dayWalk) chains(ctx context.Context) error {
	const query = `SELECT ` + columns + ` FROM audit_events
		WHERE chain <> '' AND chain >= $1 AND chain < $2 AND (chain, seq, id) > ($3, $4, $5) ORDER BY chain, seq, id LIMIT $6`
	// A chain's name begins with its day and a dot, and '/' sorts after the dot.
	after := []any{"", int64(0), ""}
	for {
		var page []row
		err := w.db.Select(ctx, "audit.verify", &page, query, w.date+".", w.date+"/", after[0],
			after[1], after[2], pageSize)
		if err != nil {
			return err
		}

		for i := range page {
			if err := w.row(page[i].record()); err != nil {
				return err
			}
		}

		if len(page) < pageSize {
			break
		}

		last := page[len(page)-1]
		after = []any{last.Chain, last.Seq, last.ID}
	}

	if err := w.endChain(); err != nil {
		return err
	}

	for _, chain := range slices.Sorted(maps.Keys(w.seals)) {
		s := w.seals[chain]
		w.link, w.service = audit.Link{Chain: chain}, s.Service
		if err := w.problem(0, "", "the chain was removed, all %d rows of it", s.Events); err != nil {
			return err
		}
	}

	return nil
}

// row compares a row with the one before it.
func (w *dayWalk) row(r audit.Record) error {
	if r.Chain != w.link.Chain {
		if err := w.endChain(); err != nil {
			return err
		}
		w.link, w.service, w.rows = audit.Link{Chain: r.Chain}, r.Service, 0
		w.report.Chains++
	}

	w.report.Events++
	w.rows++

	if r.Kind == audit.TrailSealed {
		w.said[r.Detail["day"]] = r.Detail["hash"]
	}

	before := w.link
	w.link = r.Link
	whole := bytes.Equal(r.Digest(), r.Hash)
	switch next := before.Seq + 1; {
	case !whole:
		return w.problem(r.Seq, r.ID, "the row was changed")
	case r.Seq < next:
		w.link = before
		return w.problem(r.Seq, r.ID, "the row was added: its place was taken")
	case r.Seq > next:
		return w.problem(next, "", "rows were removed: %d to %d", next, r.Seq-1)
	case !bytes.Equal(r.PrevHash, before.Hash):
		return w.problem(r.Seq, r.ID, "the row before it was changed or replaced")
	}

	return nil
}

// endChain compares a chain's end with its seal.
func (w *dayWalk) endChain() error {
	if w.link.Chain == "" || !w.sealed {
		return nil
	}

	s, known := w.seals[w.link.Chain]
	delete(w.seals, w.link.Chain)

	switch {
	case !known:
		return w.problem(0, "", "the chain was added after the day was sealed")
	case w.link.Seq < s.LastSeq:
		return w.problem(w.link.Seq+1, "", "the end of the chain was removed: %d to %d", w.link.Seq+1, s.LastSeq)
	case w.link.Seq > s.LastSeq:
		return w.problem(s.LastSeq+1, "", "rows were added after the day was sealed: %d to %d", s.LastSeq+1, w.link.Seq)
	case !bytes.Equal(w.link.Hash, s.Hash):
		return w.problem(s.LastSeq, "", "the end of the chain differs from the sealed one")
	}

	return nil
}

// unchained compares the number of rows without a chain.
func (w *dayWalk) unchained(ctx context.Context, from time.Time) error {
	var now []struct {
		Service string `db:"service"`
		Events  int64  `db:"events"`
	}
	err := w.db.Select(ctx, "audit.verify_unchained", &now, `SELECT service, count(*) AS events FROM audit_events
		WHERE at >= $1 AND at < $2 AND chain = '' GROUP BY service`, database.At(from),
		database.At(from.AddDate(0, 0, 1)))
	if err != nil {
		return err
	}

	counts := map[string]int64{}
	for _, n := range now {
		counts[n.Service] = n.Events
		w.report.Unchained += n.Events
	}

	if !w.sealed {
		return nil
	}

	services := maps.Clone(w.counts)
	maps.Copy(services, counts)

	for _, service := range slices.Sorted(maps.Keys(services)) {
		w.link, w.service = audit.Link{}, service
		if was, is := w.counts[service], counts[service]; was != is {
			err := w.problem(0, "",
				"there were %d rows without a chain when the day was sealed, and there are %d now", was, is)
			if err != nil {
				return err
			}
		}
	}

	return nil
}
