package sqlstore_test

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func (o *office) shorten() (removed int) {
	o.t.Helper()
	for {
		n, err := o.upkeep.Shorten(o.t.Context(), o.clock.Now(), 7)
		require.NoError(o.t, err)
		if n == 0 {
			return removed
		}
		removed += n
	}
}

func TestWhatIsTooOldGoesAndVerifySaysSo(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOffice(t, db, 90*24*time.Hour)
		o.days() // from the first of March
		o.clock.Advance(89 * 24 * time.Hour)
		o.work()
		o.seal(sealDaysAtOnce)
		o.seal(sealDaysAtOnce)
		o.seal(89 - 2*sealDaysAtOnce)
		before := "2026-04-01"
		if db.Dialect() == database.Postgres {
			// No month is over that is old enough.
			require.Zero(t, o.shorten())
			o.clock.Advance(30 * 24 * time.Hour)
			o.seal(30)
			require.Equal(t, 36+3, o.shorten(), "all of March, and what was said of its first seals")
		} else {
			before = "2026-03-03"
			require.Equal(t, 24, o.shorten(), "of the first two days")
		}

		report, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.Equal(t, before, report.Removed)
		require.Zero(t, o.shorten())
		var said int
		require.NoError(t,
			db.Get(t.Context(), "test.said", &said, `SELECT count(*) FROM audit_events WHERE kind = 'trail.shortened'`))
		require.Equal(t, 1, said, "once, however many batches it took")

		o.exec(`DELETE FROM audit_events WHERE kind = 'trail.shortened'`)
		_, problems = o.verify(time.Time{}, time.Time{})
		require.NotEmpty(t, problems, "rows whose removal isn't recorded are missed")
	})
}

// sealDaysAtOnce is how many days a call of Seal seals at most.
const sealDaysAtOnce = 31

func TestNothingGoesWithoutARetentionAndNothingYoung(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		never := newOffice(t, db, 0)
		never.work()
		never.clock.Advance(10_000 * time.Hour)
		require.Zero(t, never.shorten())

		now := time.Now().UTC()
		young := sqlstore.New(db, "token", func() time.Time { return now.Add(-29 * 24 * time.Hour) }, rand.Reader)
		require.NoError(t, young.Record(t.Context(), audit.Event{Kind: audit.TokenRevoked}))
		hasty := sqlstore.NewUpkeep(db, "keys", time.Now, rand.Reader, time.Nanosecond)
		for {
			n, err := hasty.Shorten(t.Context(), now, 500)
			require.NoError(t, err)
			if n == 0 {
				break
			}
		}

		var left int
		require.NoError(t,
			db.Get(t.Context(), "test.left", &left, `SELECT count(*) FROM audit_events WHERE kind = 'token.revoked'`))
		require.Equal(t, 1, left, "thirty days are the least")
	})
}

// The keys service has no right to delete. It calls a function that does, but that never
// deletes rows younger than thirty days, whatever time it is given.
func TestTheKeysServiceKeepsTheTrailWithItsOwnRights(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := newOffice(t, testkit.OpenPostgres(t, url), 0)
	owner.work()
	keys := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_keys"))
	o := newOffice(t, keys, 31*24*time.Hour)
	o.clock.Advance(100 * 24 * time.Hour)
	o.seal(sealDaysAtOnce)
	require.Equal(t, 12, o.shorten())
	_, problems := owner.verify(time.Time{}, time.Time{})
	require.Empty(t, problems)

	young := sqlstore.New(keys, "keys", time.Now, rand.Reader)
	require.NoError(t, young.Record(t.Context(), audit.Event{Kind: audit.KeyRotated}))
	var removed int
	require.NoError(t,
		keys.Returning(t.Context(), "test.drop", &removed, `SELECT drop_audit_events(now() + interval '1 year', 500)`))
	var left int
	require.NoError(t,
		owner.db.Get(t.Context(), "test.left", &left, `SELECT count(*) FROM audit_events WHERE kind = 'keys.rotated'`))
	require.Equal(t, 1, left)
}

const partOf = `SELECT tableoid::regclass::text FROM audit_events WHERE id = $1`

func TestEachMonthHasAPartAndNoRowIsLost(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, url)
	var now database.Time
	require.NoError(t, db.Get(t.Context(), "test.now", &now, `SELECT date_trunc('month', now() + interval '2 days')`))
	insert := func(id string, at time.Time) {
		_, err := db.Exec(t.Context(), "test.insert",
			`INSERT INTO audit_events (id, at, kind, service) VALUES ($1, $2, 'x', 'x')`, id, database.At(at))
		require.NoError(t, err)
	}
	part := func(id string) (name string) {
		require.NoError(t, db.Get(t.Context(), "test.part", &name, partOf, id))
		return name
	}
	far := now.AddDate(0, 5, 3)
	insert("old", now.AddDate(-3, 0, 0))
	insert("next", now.AddDate(0, 1, 3))
	insert("far", far)
	require.Equal(t, "audit_events_before", part("old"), "what there was stays where it was")
	require.Equal(t, now.AddDate(0, 1, 0).Format("audit_events_2006_01"), part("next"))
	require.Equal(t, "audit_events_default", part("far"), "no month was made so early")

	var wg sync.WaitGroup
	handles := []*database.DB{
		testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_keys")),
		testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_keys")),
	}
	for i := range 10 {
		wg.Go(func() {
			var made int
			if err := handles[i%2].Returning(t.Context(), "test.months", &made,
				`SELECT keep_audit_months(7)`); err != nil {
				t.Error(err)
			}
		})

		wg.Go(func() {
			store := sqlstore.New(handles[i%2], "keys", func() time.Time { return far }, rand.Reader)
			if err := store.Record(t.Context(), audit.Event{Kind: audit.KeyRotated}); err != nil {
				t.Error(err)
			}
		})
	}

	wg.Wait()
	require.Equal(t, far.Format("audit_events_2006_01"), part("far"), "its part took it over")
	var rows, parts int
	require.NoError(t,
		db.Get(t.Context(), "test.rows", &rows, `SELECT count(*) FROM audit_events WHERE kind = 'keys.rotated'`))
	require.Equal(t, 10, rows)
	require.NoError(t, db.Get(t.Context(), "test.parts", &parts, `SELECT count(*) FROM audit_events_default`))
	require.Zero(t, parts)

	// A part goes as a whole, and the rows beside it stay.
	_, err := db.Exec(t.Context(), "test.part",
		`CREATE TABLE audit_events_2020_01 (LIKE audit_events INCLUDING DEFAULTS, PRIMARY KEY (id))`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), "test.part", `DROP TABLE audit_events_before`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), "test.part",
		`ALTER TABLE audit_events ATTACH PARTITION audit_events_2020_01 FOR VALUES FROM ('2020-01-01+00') TO ('2020-02-01+00')`)
	require.NoError(t, err)
	insert("2020", time.Date(2020, 1, 31, 23, 0, 0, 0, time.UTC))
	keeper := sqlstore.NewUpkeep(handles[0], "keys", time.Now, rand.Reader, 400*24*time.Hour)
	n, err := keeper.Shorten(t.Context(), time.Now(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	var gone bool
	require.NoError(t, db.Get(t.Context(), "test.gone", &gone, `SELECT to_regclass('audit_events_2020_01') IS NULL`))
	require.True(t, gone)
}

// The previous version adds rows, in its own columns, while the trail is partitioned.
func TestTheVersionBeforeGoesOnAddingToTheTrail(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOffice(t, db, 0)
		o.exec(`INSERT INTO audit_events (id, at, kind, service, user_id, client_id, tenant_id, session_id, grant_id, address, reference, detail)
			VALUES ('aud_x', $1, 'session.signed_in', 'session', 'u', 'c', 't', 's', 'g', 'a', 'r', '{}')`, database.At(
			time.Now()))
		report, problems := o.verify(time.Time{}, time.Time{})
		require.Empty(t, problems)
		require.EqualValues(t, 1, report.Unchained)
		records, err := sqlstore.Read(t.Context(), db, audit.Filter{User: "u"})
		require.NoError(t, err)
		require.Len(t, records, 1)
	})
}
