package changes_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// inserts change one key of each topic.
var inserts = map[changes.Topic]string{
	changes.Applications: insert,
	changes.SigningKeys: `INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from)
		VALUES ($1, $1, 1, 'r', '{}', $2, $2)`,
	changes.KeyOrders: `INSERT INTO key_orders (algorithm, generation, immediate, created_at) VALUES ($1, 2, false, $2)`,
}

// ask makes a watcher that does nothing by itself.
func ask(t *testing.T, db *database.DB) *ears {
	t.Helper()
	watcher, err := changes.New(changes.Options{DB: db})
	require.NoError(t, err)

	e := &ears{Watcher: watcher, heard: map[changes.Topic][]string{}}
	for topic := range inserts {
		watcher.Subscribe(topic, func(key string) { e.heard[topic] = append(e.heard[topic], key) })
	}

	require.NoError(t, watcher.Look(t.Context()))
	return e
}

// notification is what the database sends of a change.
func notification(t *testing.T, db *database.DB, topic changes.Topic, key string) string {
	t.Helper()
	var version int64
	require.NoError(t,
		db.Get(t.Context(), "test.version", &version,
			`SELECT version FROM change_versions WHERE topic = $1`, string(topic)))
	return fmt.Sprint(topic, " ", version, " ", key)
}

// A change that is announced while the listener reconnects is told by the next look,
// whatever was heard of other changes before and after it.
func TestWhatWasHeardHidesNothingThatWasNot(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		n := 0
		for topic, query := range inserts {
			for heard := range 8 { // which of three changes are heard, as bits
				for looked := range 4 { // after which of the first two a look comes
					e := ask(t, db)
					var keys []string
					for i := range 3 {
						n++
						key := fmt.Sprint("key", n)
						keys = append(keys, key)
						exec(t, db, query, key, at)

						if heard&(1<<i) != 0 {
							e.Hear(notification(t, db, topic, key))
						}
						if looked&(1<<i) != 0 {
							require.NoError(t, e.Look(t.Context()))
						}
					}

					require.NoError(t, e.Look(t.Context()))

					for i, key := range keys {
						require.True(t, e.has(topic, key),
							"%s: change %d of heard %03b, looked %02b", topic, i, heard, looked)
					}
				}
			}
		}
	})
}

// A transaction that began before another and is committed after it has the lower
// number.
func TestATransactionThatCommitsLateIsTold(t *testing.T) {
	db := testkit.Postgres(t)
	e := ask(t, db)
	require.NoError(t, db.Tx(t.Context(), "test.late", func(late *database.Tx) error {
		_, err := late.Exec(t.Context(), "test.insert", insert, "late", at)
		require.NoError(t, err)

		exec(t, db, inserts[changes.SigningKeys], "early", at)
		require.NoError(t, e.Look(t.Context()))
		require.True(t, e.has(changes.SigningKeys, "early"))
		require.False(t, e.has(changes.Applications, "late"))
		return nil
	}))

	require.NoError(t, e.Look(t.Context()))
	require.True(t, e.has(changes.Applications, "late"))
}

// A database that was restored from a copy counts its transactions anew.
func TestADatabaseThatCountsAnewIsReadAnew(t *testing.T) {
	db := testkit.Postgres(t)
	e := ask(t, db)
	e.SawTransaction("9000000:9000000:")
	e.forget()
	exec(t, db, insert, "a", at)
	require.NoError(t, e.Look(t.Context()))
	require.True(t, e.has(changes.Applications, ""))
	require.True(t, e.has(changes.SigningKeys, ""))
}

// A look tells what changed and nothing else: an application that changes must not
// throw every other out of memory.
func TestALookTellsOnlyWhatChanged(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		e := ask(t, db)
		e.forget()
		exec(t, db, insert, "a", at)
		require.NoError(t, e.Look(t.Context()))
		require.NoError(t, e.Look(t.Context()))
		require.Equal(t, map[changes.Topic][]string{changes.Applications: {"a"}}, e.heard)

		e.forget()
		require.Error(t, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
			_, err := tx.Exec(t.Context(), "test.insert", insert, "b", at)
			require.NoError(t, err)
			return errors.New("taken back")
		}))

		require.NoError(t, e.Look(t.Context()))
		require.Empty(t, e.heard)
	})
}

// The listener's connection is cut, or hangs, at every point between two changes, and
// everything that changes is told.
func TestAConnectionThatIsCutAnywhereLosesNothing(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db, proxy := testkit.OpenPostgres(t, url), testkit.NewProxy(t, url)
	e := watch(t, changes.Quick(changes.Options{DB: db, ListenURL: proxy.URL(t, url)}))
	topics := []changes.Topic{changes.Applications, changes.SigningKeys, changes.KeyOrders}

	for i, point := range []func(){
		func() {}, // listening, or about to
		proxy.Cut,
		func() {}, // cut, and nothing listens
		proxy.Heal,
		func() {}, // about to connect
		func() { eventually(t, "notifications", e.Listening) },
		proxy.Hang,
		func() {}, // believes that it listens
		func() { eventually(t, "that it does not hear", func() bool { return !e.Listening() }) },
		proxy.Heal,
		proxy.Cut, // at once, in the middle of connecting
		proxy.Heal,
		func() { eventually(t, "notifications", e.Listening) },
		func() {},
	} {
		point()
		for _, topic := range topics {
			for _, key := range []string{fmt.Sprint("first", i), fmt.Sprint("second", i)} {
				exec(t, db, inserts[topic], key, at)
			}
		}
	}

	for _, topic := range topics {
		for i := range 14 {
			for _, key := range []string{fmt.Sprint("first", i), fmt.Sprint("second", i)} {
				eventually(t, fmt.Sprint(topic, " ", key), func() bool { return e.has(topic, key) })
			}
		}
	}
}
