package sqlstore_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// office is a trail of three days with its writers.
type office struct {
	t      *testing.T
	db     *database.DB
	clock  *testkit.Clock
	first  *sqlstore.Store
	second *sqlstore.Store
	upkeep *sqlstore.Upkeep
}

var firstDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newOffice(t *testing.T, db *database.DB, retention time.Duration) *office {
	t.Helper()
	clock := testkit.NewClock(firstDay)
	return &office{
		t:      t,
		db:     db,
		clock:  clock,
		first:  sqlstore.New(db, "session", clock.Now, rand.Reader),
		second: sqlstore.New(db, "session", clock.Now, rand.Reader),
		upkeep: sqlstore.NewUpkeep(db, "keys", clock.Now, rand.Reader, retention),
	}
}

// work writes five rows by each replica, one by an operator, and one by a version without
// chains.
func (o *office) work() {
	o.t.Helper()

	for i := range 5 {
		o.clock.Advance(time.Second)
		e := audit.Event{
			Kind:   audit.SignedIn,
			UserID: fmt.Sprintf("usr_%d", i),
			Detail: map[string]string{"b": "<2>", "a": "ü"},
		}
		require.NoError(o.t, o.first.Record(o.t.Context(), e))
		require.NoError(o.t, o.second.Record(o.t.Context(), e))
	}

	require.NoError(o.t, o.db.Tx(o.t.Context(), "test.operator", func(tx *database.Tx) error {
		return sqlstore.New(tx, "operator", o.clock.Now, rand.Reader).Record(o.t.Context(),
			audit.Event{Kind: audit.KeyRevoked})
	}))
	o.exec(`INSERT INTO audit_events (id, at, kind, service) VALUES ($1, $2, 'session.signed_in', 'session')`,
		fmt.Sprintf("aud_%014x", o.clock.Now().UnixMicro())+rand.Text(), database.At(o.clock.Now()))
}

// days writes rows on three days and seals them.
func (o *office) days() {
	o.t.Helper()
	for range 3 {
		o.work()
		o.clock.Advance(24 * time.Hour)
	}
	o.seal(3)
}

func (o *office) seal(want int) {
	o.t.Helper()
	sealed, err := o.upkeep.Seal(o.t.Context(), o.clock.Now(), 500)
	require.NoError(o.t, err)
	require.Equal(o.t, want, sealed)
}

func (o *office) exec(query string, args ...any) {
	o.t.Helper()
	n, err := o.db.Exec(o.t.Context(), "test.exec", query, args...)
	require.NoError(o.t, err)
	require.NotZero(o.t, n, query)
}

// chain returns the first replica's chain of a day, and the id of its first row.
func (o *office) chain(day string) (chain string) {
	o.t.Helper()
	err := o.db.Get(o.t.Context(), "test.chain", &chain,
		`SELECT min(chain) FROM audit_events WHERE chain LIKE $1 AND service = 'session'`, day+".%")
	require.NoError(o.t, err)
	return chain
}

func (o *office) verify(from, to time.Time) (*sqlstore.Report, []sqlstore.Problem) {
	o.t.Helper()
	var problems []sqlstore.Problem
	report, err := sqlstore.Verify(o.t.Context(), o.db, from, to, func(p sqlstore.Problem) error {
		problems = append(problems, p)
		return nil
	})
	require.NoError(o.t, err)
	require.EqualValues(o.t, len(problems), report.Problems)
	return report, problems
}

func TestATrailThatNobodyTouchedHasNoProblem(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOffice(t, db, 0)
		empty, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.Equal(t, &sqlstore.Report{}, empty)
		o.seal(0)

		o.work()
		report, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.Equal(t, &sqlstore.Report{
			Events:    11,
			Chains:    3,
			Unchained: 1,
			Open:      1,
		}, report)

		o.clock.Advance(24 * time.Hour)

		for range 3 {
			o.work()
			o.clock.Advance(24 * time.Hour)
		}

		o.seal(4)
		o.seal(0)

		report, problems = o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.EqualValues(t, 4, report.Sealed)
		require.EqualValues(t, 44+4, report.Events, "a row for each seal")
		require.EqualValues(t, 4, report.Unchained)
		require.Equal(t, "2026-03-04", report.LastDay)
		require.Len(t, report.LastHash, 64)

		report, problems = o.verify(firstDay.AddDate(0, 0, 1), firstDay.AddDate(0, 0, 2))
		require.Empty(t, problems, "from the middle, too")
		require.EqualValues(t, 2, report.Sealed)
	})
}

func TestTamperingOfEachKindIsFound(t *testing.T) {
	const day = "2026-03-02"
	tests := map[string]struct {
		tamper func(o *office, chain string)
		says   []string
	}{
		"a row is changed": {
			func(o *office, chain string) {
				o.exec(`UPDATE audit_events SET user_id = 'usr_x' WHERE chain = $1 AND seq = 3`, chain)
			}, []string{"3: the row was changed"},
		},
		"a row's time is moved to another day": {
			func(o *office, chain string) {
				o.exec(`UPDATE audit_events SET at = $2 WHERE chain = $1 AND seq = 3`, chain, database.At(firstDay))
			}, []string{"3: the row was changed"},
		},
		"a detail is changed": {
			func(o *office, chain string) {
				o.exec(`UPDATE audit_events SET detail = '{}' WHERE chain = $1 AND seq = 1`, chain)
			}, []string{"1: the row was changed"},
		},
		"a row is taken out": {
			func(o *office, chain string) {
				o.exec(`DELETE FROM audit_events WHERE chain = $1 AND seq = 3`, chain)
			}, []string{"3: rows were removed: 3 to 3"},
		},
		"the first rows are taken out": {
			func(o *office, chain string) {
				o.exec(`DELETE FROM audit_events WHERE chain = $1 AND seq < 3`, chain)
			}, []string{"1: rows were removed: 1 to 2"},
		},
		"a row is taken out and the others are numbered anew": {
			func(o *office, chain string) {
				o.exec(`DELETE FROM audit_events WHERE chain = $1 AND seq = 3`, chain)
				o.exec(`UPDATE audit_events SET seq = seq - 1 WHERE chain = $1 AND seq > 3`, chain)
			}, []string{
				"3: the row was changed", "4: the row was changed", "5: the end of the chain was removed: 5 to 5",
			},
		},
		"two rows change their places": {
			func(o *office, chain string) {
				o.exec(`UPDATE audit_events SET seq = 5 - seq WHERE chain = $1 AND seq IN (2, 3)`, chain)
			}, []string{
				"2: the row was changed", "3: the row was changed", "4: the row before it was changed or replaced",
			},
		},
		"a row is changed and its hash computed anew": {
			func(o *office, chain string) { o.forge(chain, 3) },
			[]string{"4: the row before it was changed or replaced"},
		},
		"the last row is changed and its hash computed anew": {
			func(o *office, chain string) { o.forge(chain, 5) },
			[]string{"5: the end of the chain differs from the sealed one"},
		},
		"the tail is cut off": {
			func(o *office, chain string) {
				o.exec(`DELETE FROM audit_events WHERE chain = $1 AND seq > 3`, chain)
			}, []string{"4: the end of the chain was removed: 4 to 5"},
		},
		"a chain is taken out": {
			func(o *office, chain string) { o.exec(`DELETE FROM audit_events WHERE chain = $1`, chain) },
			[]string{"0: the chain was removed, all 5 rows of it"},
		},
		"the operator's only row is taken out": {
			func(o *office, _ string) {
				o.exec(`DELETE FROM audit_events WHERE chain LIKE $1 AND service = 'operator'`, day+".%")
			}, []string{"0: the chain was removed, all 1 rows of it"},
		},
		"a row without a chain is taken out": {
			func(o *office, _ string) {
				o.exec(`DELETE FROM audit_events WHERE chain = '' AND at >= $1 AND at < $2`,
					database.At(firstDay.AddDate(0, 0, 1).Truncate(24*time.Hour)),
					database.At(firstDay.AddDate(0, 0, 2).Truncate(24*time.Hour)))
			}, []string{"0: there were 1 rows without a chain when the day was sealed, and there are 0 now"},
		},
		"a row is added in a place that is taken": {
			func(o *office, chain string) { o.copyRow(chain, 3, 3) },
			[]string{"3: the row was added: its place was taken"},
		},
		"a row is added behind the end": {
			func(o *office, chain string) { o.copyRow(chain, 5, 6) },
			[]string{"6: rows were added after the day was sealed: 6 to 6"},
		},
		"a chain is added": {
			func(o *office, _ string) {
				clock := testkit.NewClock(firstDay.AddDate(0, 0, 1))
				require.NoError(o.t,
					sqlstore.New(o.db, "token", clock.Now, rand.Reader).Record(o.t.Context(),
						audit.Event{Kind: audit.TokenRevoked}))
			}, []string{"0: the chain was added after the day was sealed"},
		},
		"all of a day is taken out": {
			func(o *office, _ string) {
				o.exec(`DELETE FROM audit_events WHERE chain LIKE $1`, day+".%")
				o.exec(`DELETE FROM audit_seals WHERE day = $1`, day)
			}, []string{
				"0: the seal of the day was removed: later days have one",
				"0: the seals of the day were changed, or those of the day before",
			},
		},
		"a chain is taken out with its seal": {
			func(o *office, chain string) {
				o.exec(`DELETE FROM audit_events WHERE chain = $1`, chain)
				o.exec(`DELETE FROM audit_seals WHERE chain = $1`, chain)
			}, []string{"0: the seals of the day were changed, or those of the day before"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
				o := newOffice(t, db, 0)
				o.days()
				tt.tamper(o, o.chain(day))
				_, problems := o.verify(time.Time{}, time.Time{})
				var says []string
				for _, p := range problems {
					if p.Day != "2026-03-03" || !strings.Contains(p.What, "day before") {
						require.Equal(t, day, p.Day)
					}
					says = append(says, fmt.Sprintf("%d: %s", p.Seq, p.What))
				}

				require.Equal(t, tt.says, says)
			})
		})
	}
}

// forge changes a row and recomputes its hash, as an attacker would who reads this.
func (o *office) forge(chain string, seq int64) {
	o.t.Helper()
	records, err := sqlstore.Read(o.t.Context(), o.db, audit.Filter{Limit: 1000})
	require.NoError(o.t, err)
	for _, r := range records {
		if r.Chain == chain && r.Seq == seq {
			r.UserID = "usr_x"
			o.exec(`UPDATE audit_events SET user_id = 'usr_x', hash = $1 WHERE id = $2`, r.Digest(), r.ID)
		}
	}
}

// copyRow adds an intact row under another's name and in its place.
func (o *office) copyRow(chain string, from, to int64) {
	o.t.Helper()
	records, err := sqlstore.Read(o.t.Context(), o.db, audit.Filter{Limit: 1000})
	require.NoError(o.t, err)

	for _, r := range records {
		if r.Chain != chain || r.Seq != from {
			continue
		}
		if r.Seq < to {
			r.PrevHash = r.Hash
		}

		r.Seq, r.ID, r.UserID = to, r.ID+"z", "usr_x"
		o.exec(`INSERT INTO audit_events (id, at, kind, service, user_id, detail, chain, seq, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			r.ID, database.At(r.At), string(r.Kind), r.Service, r.UserID, database.JSON[map[string]string]{V: r.Detail},
			r.Chain, r.Seq, r.PrevHash, r.Digest())
	}
}

func TestManyReplicasAtOnceChainWithoutWaitingForEachOther(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOffice(t, db, 0)
		stores := make([]*sqlstore.Store, 4)
		for i := range stores {
			stores[i] = sqlstore.New(db, "token", o.clock.Now, rand.Reader)
		}

		var wg sync.WaitGroup
		for i := range 400 {
			wg.Go(func() {
				if err := stores[i%len(stores)].Record(t.Context(), audit.Event{Kind: audit.GrantCreated}); err != nil {
					t.Error(err)
				}
			})
		}

		wg.Wait()
		report, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.Equal(t, &sqlstore.Report{Events: 400, Chains: 4, Open: 1}, report)
	})
}

// A row that the database refuses doesn't affect others, and the chain stays intact before
// and after it.
func TestARefusedRowBreaksNoChain(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOffice(t, db, 0)
		o.exec(`INSERT INTO audit_events (id, at, kind, service) VALUES ('x', $1, 'x', 'x')`, database.At(firstDay))
		var wg sync.WaitGroup
		failed := make(chan error, 100)
		for i := range 100 {
			e := audit.Event{Kind: audit.SignedIn}
			if i%10 == 0 && db.Dialect() == database.Postgres {
				e.UserID = "\x00" // which PostgreSQL has no place for
			}

			wg.Go(func() {
				if err := o.first.Record(t.Context(), e); err != nil {
					failed <- err
				}
			})
		}

		wg.Wait()
		refused := 0
		if db.Dialect() == database.Postgres {
			refused = 10
		}

		require.Len(t, failed, refused)
		report, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.EqualValues(t, 100-refused, report.Events)

		changed := errors.New("changed our mind")
		require.ErrorIs(t, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
			require.NoError(t,
				sqlstore.New(tx, "operator", o.clock.Now, rand.Reader).Record(t.Context(),
					audit.Event{Kind: audit.KeyRevoked}))
			return changed
		}), changed)
		_, problems = o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
	})
}

func TestOneOfManyKeepersSealsADay(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOffice(t, db, 0)
		for range 3 {
			o.work()
			o.clock.Advance(24 * time.Hour)
		}

		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				keeper := sqlstore.NewUpkeep(db, "keys", o.clock.Now, rand.Reader, 0)
				if _, err := keeper.Seal(t.Context(), o.clock.Now(), 500); err != nil {
					t.Error(err)
				}
			})
		}

		wg.Wait()

		for range 3 { // who was second gave up for now
			_, err := o.upkeep.Seal(t.Context(), o.clock.Now(), 500)
			require.NoError(t, err)
		}

		report, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.EqualValues(t, 3, report.Sealed)
		var said int
		require.NoError(t,
			db.Get(t.Context(), "test.said", &said, `SELECT count(*) FROM audit_events WHERE kind = 'trail.sealed'`))
		require.Equal(t, 3, said)
	})
}
