package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// crowd is a file of n people, the first of whom has an address of its own.
func crowd(n int, name string) string {
	var b strings.Builder
	b.WriteString("tenants:\n  - {slug: acme, name: Acme}\nusers:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {email: person%03d@acme.test, name: %s, tenants: [acme]}\n", i, name)
	}
	return b.String()
}

// signIn writes what a sign-in writes about a person.
func signIn(ctx context.Context, db *database.DB, userID, session string, at time.Time) error {
	const insert = `INSERT INTO sessions (id, cookie_hash, user_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
VALUES ($1, $2, $3, $4, '1', '["pwd"]', $4, $4, $5)`
	_, err := db.Exec(ctx, "test.session", insert, session, []byte(session), userID, database.At(at),
		database.At(at.Add(time.Hour)))
	return errors.Join(err, sqlstore.NewPeople(db).RecordLogin(ctx, userID, at))
}

// A dry run takes no lock that a sign-in, a command or another apply waits for, and
// waits for none of theirs.
func TestADryRunOnlyReads(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		url := testkit.PostgresServer(t).NewDatabase(t)
		writing := testkit.OpenPostgres(t, url)
		o := newOperator(t, writing)
		o.apply(crowd(3, "A"))

		reading := newOperator(t, testkit.OpenPostgres(t, url+"&default_transaction_read_only=on&lock_timeout=1"))
		// the operators' lock
		require.NoError(t, sqlstore.NewOperator(writing).Tx(t.Context(), func(w *sqlstore.Writer) error {
			_, err := w.Tx().Exec(t.Context(), "test.lock",
				`LOCK TABLE users, tenants, applications, memberships, credentials IN EXCLUSIVE MODE`)
			require.NoError(t, err)
			report, err := reading.try(crowd(5, "B"), dryRun)
			require.NoError(t, err)
			require.Len(t, report.Changes, 5)
			return nil
		}))
	})

	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "platform.db")
		open := func() *database.DB {
			db, err := sqlite.Open(t.Context(), path, database.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db
		}

		writing := open()
		_, _, err := database.Migrate(t.Context(), writing, nil)
		require.NoError(t, err)
		o := newOperator(t, writing)
		o.apply(crowd(3, "A"))

		reading := newOperator(t, open())
		require.NoError(t, writing.Tx(t.Context(), "test.writer", func(*database.Tx) error { // the one writer is taken
			require.Len(t, reading.apply(crowd(5, "B"), dryRun).Changes, 5)
			return nil
		}))
	})
}

// Between two batches nothing is held: on SQLite a sign-in would wait for the one
// writer for ever.
func TestSignInsGoOnBetweenTheBatches(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply(crowd(20, "A"))
		ada := o.state().Users[0].ID

		batches := 0
		report := o.apply(crowd(20, "B"), func(opts *manifest.ApplyOptions) {
			opts.Batch = 4
			opts.Told = func(r *manifest.Report) {
				batches++
				require.LessOrEqual(t, len(r.Changes), 4)
				require.NoError(t, signIn(t.Context(), db, ada, fmt.Sprintf("ses_%d", batches), o.clock.Now()))
			}
		})

		require.Equal(t, 6, batches, "one of tenants, five of people")
		require.Empty(t, report.Changes, "they were told")
	})
}

// While a batch changes a person, they can sign in: on PostgreSQL no lock that it
// holds is one that a sign-in waits for, even for a moment.
func TestASignInWaitsForNoBatch(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	o := newOperator(t, testkit.OpenPostgres(t, url))
	o.apply(crowd(5, "A"))
	impatient := testkit.OpenPostgres(t, url+"&lock_timeout=1") // milliseconds of waiting, not of working
	people := o.state().Users

	signedIn := 0
	o.apply(crowd(5, "B"), func(opts *manifest.ApplyOptions) {
		// The batch asks for randomness for its rows of the audit trail, after it has
		// changed the first person.
		opts.Random = &meanwhile{do: func() {
			for i, u := range people {
				require.NoError(t, signIn(t.Context(), impatient, u.ID, fmt.Sprintf("ses_%d", i), o.clock.Now()))
				signedIn++
			}
		}}
	})

	require.Equal(t, 5, signedIn)
	require.Equal(t, "B", o.state().Users[0].Name)
}

// What stops apply in the middle leaves whole batches, and applying again goes on.
func TestApplyGoesOnWhereItStopped(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		text := crowd(10, "A")
		doc, err := manifest.Parse("platform.yaml", strings.NewReader(text))
		require.NoError(t, err)

		ctx, cancel := context.WithCancel(t.Context())
		told := 0
		_, err = manifest.Apply(ctx, db, doc, manifest.ApplyOptions{
			Rules:  public,
			Batch:  3,
			Now:    o.clock.Now,
			Random: &meanwhile{do: func() {}},
			Told: func(r *manifest.Report) {
				if told += len(r.Changes); told == 7 {
					cancel()
				}
			},
		})

		var unfinished *manifest.UnfinishedError
		require.ErrorAs(t, err, &unfinished)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 7, unfinished.Changed)
		require.ErrorContains(t, err, "stopped after 7 changes, which are kept: apply the same file again to continue")
		require.Len(t, o.state().Users, 6)

		report := o.apply(text)
		require.Len(t, report.Changes, 4)
		require.Equal(t, 7, report.Unchanged)
		require.Empty(t, o.apply(text).Changes)
	})
}

// All of the file is checked before the first batch.
func TestNothingIsAppliedWhenTheLastLineIsWrong(t *testing.T) {
	o := newOperator(t, testkit.SQLite(t))
	o.refused(crowd(10, "A")+"  - {email: x@acme.test, tenants: [gone]}\n",
		func(opts *manifest.ApplyOptions) { opts.Batch = 2 })
	require.Empty(t, o.state().Tenants)
}
