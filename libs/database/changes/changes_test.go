package changes_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// patience is how long a test waits for what comes in milliseconds, on a machine
// that does other things too.
const patience = testkit.Patience

const insert = `INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ($1, 'A', 'WEB', 'GLOBAL', $2, $2)`

var at = database.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))

// ears is what a watcher told its subscribers.
type ears struct {
	*changes.Watcher
	mu    sync.Mutex
	heard map[changes.Topic][]string
}

// watch runs a watcher until the end of the test. It returns once it looked.
func watch(t *testing.T, o changes.Options) *ears {
	t.Helper()
	o.Logger = testkit.Logger(t)
	watcher, err := changes.New(o)
	require.NoError(t, err)
	e := &ears{Watcher: watcher, heard: map[changes.Topic][]string{}}
	for _, topic := range []changes.Topic{changes.Applications, changes.SigningKeys, changes.KeyOrders} {
		watcher.Subscribe(topic, func(key string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.heard[topic] = append(e.heard[topic], key)
		})
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	eventually(t, "a first look", func() bool { return !watcher.Told().IsZero() })

	return e
}

// forget empties the ears.
func (e *ears) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.heard)
}

func (e *ears) has(topic changes.Topic, keys ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()

	for _, heard := range e.heard[topic] {
		for _, key := range keys {
			if heard == key {
				return true
			}
		}
	}

	return false
}

func (e *ears) requireListening(t *testing.T) {
	t.Helper()
	eventually(t, "notifications", e.Listening)
}

// requireTold writes an application and waits until that is told, by its key or,
// where the notification may have been lost, as any.
func (e *ears) requireTold(t *testing.T, db *database.DB, clientID string, keys ...string) {
	t.Helper()
	e.forget()
	exec(t, db, insert, clientID, at)
	eventually(t, "the change of "+clientID, func() bool { return e.has(changes.Applications, keys...) })
}

// The platform promises its operators five seconds.
func TestTheBoundIsFiveSecondsAtMost(t *testing.T) {
	require.LessOrEqual(t, changes.Bound, 5*time.Second)
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, patience, time.Millisecond, what)
}

func exec(t *testing.T, db *database.DB, query string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), "test.exec", query, args...)
	require.NoError(t, err)
}

// writes are the ways to change what is watched, one after the other.
var writes = []struct {
	topic      changes.Topic
	query, key string
}{
	{
		changes.Applications,
		`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('a', 'A', 'WEB', 'GLOBAL', '2026-01-01', '2026-01-01')`, "a",
	},
	{changes.Applications, `UPDATE applications SET name = 'B' WHERE client_id = 'a'`, "a"},
	{
		changes.Applications,
		`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('a', 'C', 'WEB', 'GLOBAL', '2026-01-01', '2026-01-01') ON CONFLICT (client_id) DO UPDATE SET name = excluded.name`, "a",
	},
	{
		changes.Applications,
		`INSERT INTO application_secrets (id, client_id, hash, created_at) VALUES ('s', 'a', '\x00', '2026-01-01')`,
		"a",
	},
	{changes.Applications, `UPDATE application_secrets SET expires_at = '2026-01-01' WHERE id = 's'`, "a"},
	{changes.Applications, `DELETE FROM application_secrets WHERE id = 's'`, "a"},
	{changes.Applications, `DELETE FROM applications`, "a"},
	{
		changes.SigningKeys,
		`INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from) VALUES ('k', 'ES256', 1, 'r', '{}', '2026-01-01', '2026-01-01')`, "k",
	},
	{changes.SigningKeys, `UPDATE signing_keys SET revoked_at = '2026-01-02' WHERE kid = 'k'`, "k"},
	{changes.SigningKeys, `DELETE FROM signing_keys`, "k"},
	{
		changes.KeyOrders,
		`INSERT INTO key_orders (algorithm, generation, immediate, created_at) VALUES ('ES256', 2, false, '2026-01-01')`, "ES256",
	},
	{changes.KeyOrders, `UPDATE key_orders SET immediate = true`, "ES256"},
}

func TestEveryWriteIsTold(t *testing.T) {
	t.Run("sqlite, by a look", func(t *testing.T) {
		db := testkit.SQLite(t)
		e := watch(t, changes.Quick(changes.Options{DB: db}))
		for _, w := range writes {
			e.forget()
			exec(t, db, w.query)
			eventually(t, w.query, func() bool { return e.has(w.topic, w.key) })
		}
	})

	t.Run("postgres, by a notification with the key", func(t *testing.T) {
		url := testkit.PostgresServer(t).NewDatabase(t)
		db := testkit.OpenPostgres(t, url)
		e := watch(t, changes.Promptly(changes.Options{DB: db, ListenURL: url}))
		e.requireListening(t)

		for _, w := range append(writes, struct {
			topic      changes.Topic
			query, key string
		}{changes.Applications, `TRUNCATE applications CASCADE`, ""}) {
			e.forget()
			exec(t, db, w.query)
			eventually(t, w.query, func() bool { return e.has(w.topic, w.key) })
		}
	})

	t.Run("postgres, by a look", func(t *testing.T) {
		db := testkit.Postgres(t)
		e := watch(t, changes.Quick(changes.Options{DB: db}))
		for _, w := range writes {
			e.forget()
			exec(t, db, w.query)
			eventually(t, w.query, func() bool { return e.has(w.topic, w.key) })
		}
	})
}

func TestWhatDoesNotChangeIsNotTold(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		version := func() (n int64) {
			require.NoError(t,
				db.Get(t.Context(), "test.version", &n,
					`SELECT version FROM change_versions WHERE topic = 'applications'`))
			return n
		}
		exec(t, db, insert, "a", at)
		before := version()
		require.Error(t, db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
			_, err := tx.Exec(t.Context(), "test.insert", insert, "b", at)
			require.NoError(t, err)
			return fmt.Errorf("taken back")
		}))

		exec(t, db, `UPDATE tenants SET name = 'x'`)
		exec(t, db, `UPDATE applications SET name = 'x' WHERE client_id = 'nobody'`)

		if db.Dialect() == database.Postgres {
			exec(t, db, `UPDATE applications SET name = name`)
		}

		require.Equal(t, before, version())
		exec(t, db, `UPDATE applications SET name = 'y'`)
		require.NotEqual(t, before, version())
	})
}

// Every service's role writes or reads here; none writes versions itself.
func TestRolesAnnounceWhatTheyMayWrite(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	e := watch(t,
		changes.Promptly(changes.Options{
			DB:        testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_token")),
			ListenURL: server.LoginURL(t, url, "platform_token"),
		}))
	e.requireListening(t)
	e.requireTold(t, testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_operator")), "a", "a")
	exec(t, testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_keys")),
		`INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from) VALUES ('k', 'ES256', 1, 'r', '{}', $1, $1)`, at)
	eventually(t, "the key", func() bool { return e.has(changes.SigningKeys, "k") })
}

func TestAnApplicationWithAnAbsurdIDIsToldWithoutIt(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db := testkit.OpenPostgres(t, url)
	e := watch(t, changes.Promptly(changes.Options{DB: db, ListenURL: url}))
	e.requireListening(t)
	e.requireTold(t, db, "with a space", "with a space")
	long := make([]byte, 2500)
	for i := range long {
		long[i] = 'x'
	}

	e.requireTold(t, db, string(long), "")
}

func TestAListenerThatIsCutOffLooks(t *testing.T) {
	for name, cut := range map[string]func(*testkit.Proxy){
		"closed":       (*testkit.Proxy).Cut,
		"a black hole": (*testkit.Proxy).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			url := testkit.PostgresServer(t).NewDatabase(t)
			db, proxy := testkit.OpenPostgres(t, url), testkit.NewProxy(t, url)
			e := watch(t, changes.Quick(changes.Options{DB: db, ListenURL: proxy.URL(t, url)}))
			e.requireListening(t)
			cut(proxy)
			e.requireTold(t, db, "a", "a")
			eventually(t, "that it does not hear", func() bool { return !e.Listening() })
			e.requireTold(t, db, "b", "b")
			eventually(t, "that looking is as certain", func() bool { return time.Since(e.Told()) < changes.Bound })

			proxy.Heal()
			e.requireListening(t)
			e.requireTold(t, db, "c", "c")
		})
	}
}

func TestWhatChangedWhileNobodyListenedIsToldAfterwards(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db, direct := testkit.NewProxy(t, url), testkit.OpenPostgres(t, url)
	e := watch(t,
		changes.Quick(changes.Options{DB: testkit.OpenPostgres(t, db.URL(t, url)), ListenURL: db.URL(t, url)}))
	e.requireListening(t)
	db.Cut()
	eventually(t, "that it does not hear", func() bool { return !e.Listening() })
	cutOff := time.Now()
	e.forget()
	exec(t, direct, insert, "a", at)
	require.Never(t, func() bool { return e.has(changes.Applications, "", "a") },
		300*time.Millisecond, 10*time.Millisecond)
	require.Less(t, e.Told(), cutOff, "and it does not claim to know")
	db.Heal()
	eventually(t, "the change", func() bool { return e.has(changes.Applications, "a") })
	require.Greater(t, e.Told(), cutOff)
}

func TestAServerThatRestartsIsListenedToAgain(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	url := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, url)
	e := watch(t, changes.Quick(changes.Options{DB: db, ListenURL: url}))
	e.requireListening(t)
	server.Crash(t)
	eventually(t, "that it does not hear", func() bool { return !e.Listening() })
	server.Start(t)
	e.requireListening(t)
	e.requireTold(t, testkit.OpenPostgres(t, url), "a", "a")
}

// Through a transaction pooler LISTEN succeeds and hears nothing.
func TestBehindAPoolerOnlyADirectListenerHears(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	through := testkit.PgBouncer(t, server)
	owner := testkit.OpenPostgres(t, url)
	t.Run("listening past it", func(t *testing.T) {
		e := watch(t, changes.Promptly(changes.Options{DB: testkit.OpenPostgres(t, through(url)), ListenURL: url}))
		e.requireListening(t)
		e.requireTold(t, owner, "a", "a")
	})

	t.Run("listening through it", func(t *testing.T) {
		e := watch(t,
			changes.Quick(changes.Options{DB: testkit.OpenPostgres(t, through(url)), ListenURL: through(url)}))
		for i := range 10 { // as often as it tries to listen, and more
			e.requireTold(t, owner, fmt.Sprint("b", i), fmt.Sprint("b", i))
			require.False(t, e.Listening())
		}
		eventually(t, "that looking is as certain", func() bool { return time.Since(e.Told()) < changes.Bound })
	})
}

func TestNobodyIsToldByNobody(t *testing.T) {
	var none *changes.Watcher
	none.Subscribe(changes.Applications, func(string) { t.Error("told") })
	require.Zero(t, none.Told())
	require.Nil(t, none.Signal(changes.SigningKeys))
}

func TestASignalIsOneHoweverMuchChanged(t *testing.T) {
	db := testkit.SQLite(t)
	watcher, err := changes.New(changes.Quick(changes.Options{DB: db}))
	require.NoError(t, err)
	signal := watcher.Signal(changes.Applications, changes.SigningKeys)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	eventually(t, "a first look", func() bool { return !watcher.Told().IsZero() })
	<-signal

	select {
	case <-signal:
		t.Error("both topics, one signal")
	default:
	}

	exec(t, db, insert, "a", at)
	<-signal
	stop()
	require.NoError(t, <-done)
}

func TestAHungServerHoldsNobodyUp(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	url := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, url)
	watcher, err := changes.New(changes.Quick(changes.Options{DB: db, ListenURL: url, Logger: testkit.Logger(t)}))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	eventually(t, "notifications", watcher.Listening)
	server.Pause(t)
	eventually(t, "that it does not hear", func() bool { return !watcher.Listening() })
	stop()

	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("Run does not end while the server hangs")
	}
}
