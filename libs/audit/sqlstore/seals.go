package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

// seal summarises a chain on a day. With no chain it counts the rows without a chain; with
// neither service nor chain it covers the whole day, with the number of rows and the hash of
// the day.
type seal struct {
	Day      string        `db:"day"`
	Service  string        `db:"service"`
	Chain    string        `db:"chain"`
	FirstSeq int64         `db:"first_seq"`
	LastSeq  int64         `db:"last_seq"`
	Events   int64         `db:"events"`
	Hash     []byte        `db:"hash"`
	SealedAt database.Time `db:"sealed_at"`
}

const sealColumns = `day, service, chain, first_seq, last_seq, events, hash, sealed_at`

// ofDay reports whether the seal is the one for the whole day.
func (s *seal) ofDay() bool { return s.Service == "" && s.Chain == "" }

func compareSeals(a, b seal) int {
	if c := strings.Compare(a.Service, b.Service); c != 0 {
		return c
	}
	return strings.Compare(a.Chain, b.Chain)
}

// dayHash returns the hash of a day, computed from its seals and the hash of the day before.
func dayHash(previous []byte, day string, seals []seal) []byte {
	lines := [][]any{{"audit seal 1", day}}
	for _, s := range slices.SortedFunc(slices.Values(seals), compareSeals) {
		if !s.ofDay() {
			lines = append(lines,
				[]any{s.Service, s.Chain, s.FirstSeq, s.LastSeq, s.Events, hex.EncodeToString(s.Hash)})
		}
	}

	text, err := json.Marshal(lines)
	if err != nil { // only for types that it doesn't have
		panic(err)
	}

	sum := sha256.Sum256(append(bytes.Clone(previous), text...))
	return sum[:]
}

// dayBounds returns the start of a day and of the next, in UTC.
func dayBounds(day string) (from, to time.Time, err error) {
	from, err = time.Parse(audit.DayFormat, day)
	return from, from.AddDate(0, 0, 1), err
}

// sealsOf reads the seals of a day.
func sealsOf(ctx context.Context, db database.Runner, day string) (seals []seal, err error) {
	err = db.Select(ctx, "audit.seals", &seals,
		`SELECT `+sealColumns+` FROM audit_seals WHERE day = $1 ORDER BY service, chain`, day)
	return seals, err
}

// heads returns the current contents of a day as seals without a day. It reads only columns
// that the keys service may read.
func heads(ctx context.Context, db database.Runner, from, to time.Time) ([]seal, error) {
	const chained = `SELECT '' AS day, e.service, e.chain, m.first_seq, m.last_seq, m.events, e.hash, NULL AS sealed_at FROM
		(SELECT service, chain, min(seq) AS first_seq, max(seq) AS last_seq, count(*) AS events FROM audit_events
		 WHERE at >= $1 AND at < $2 AND chain <> '' GROUP BY service, chain) m
		JOIN audit_events e ON e.chain = m.chain AND e.service = m.service AND e.seq = m.last_seq AND e.chain <> '' AND e.at >= $1 AND e.at < $2`
	const unchained = `SELECT '' AS day, service, '' AS chain, 0 AS first_seq, 0 AS last_seq, count(*) AS events, NULL AS hash, NULL AS sealed_at
		FROM audit_events WHERE at >= $1 AND at < $2 AND chain = '' GROUP BY service`
	var with, without []seal
	if err := db.Select(ctx, "audit.heads", &with, chained, database.At(from), database.At(to)); err != nil {
		return nil, err
	}

	if err := db.Select(ctx, "audit.unchained", &without, unchained, database.At(from), database.At(to)); err != nil {
		return nil, err
	}

	all := slices.Concat(with, without)
	slices.SortFunc(all, compareSeals)
	// A forged row in a place already taken is left for Verify to find.
	return slices.CompactFunc(all, func(a, b seal) bool { return compareSeals(a, b) == 0 }), nil
}
