package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

var at = time.Date(2026, 5, 4, 9, 0, 0, 123456000, time.UTC)

func seeded(t *testing.T, db *database.DB) *sqlstore.Store {
	t.Helper()
	require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(w *directorystore.Writer) error {
		ctx := t.Context()
		require.NoError(t, w.SaveTenant(ctx, directory.Tenant{
			ID:     "tnt_1",
			Slug:   "one",
			Name:   "One",
			Active: true,
		}, nil, at))

		require.NoError(t,
			w.SaveUser(ctx, directory.User{ID: "usr_1", Email: "ada@acme.test", Active: true}, []string{"tnt_1"}, at))
		return w.SaveApplication(ctx, &directory.Application{
			ClientID:   "app_1",
			Name:       "App",
			Type:       directory.Web,
			ScopeLevel: directory.Global,
			Active:     true,
		}, at)
	}))

	return sqlstore.New(db)
}

func session(id string) *sessions.Session {
	return &sessions.Session{
		ID:         id,
		UserID:     "usr_1",
		AuthTime:   at,
		ACR:        "1",
		AMR:        []string{"pwd"},
		CreatedAt:  at,
		LastSeenAt: at,
		ExpiresAt:  at.Add(time.Hour),
	}
}

// renewal gives a browser that had no cookies a session cookie.
func renewal(cookieHash []byte, ends ...string) ports.Renewal {
	return ports.Renewal{New: ports.CookieHashes{Session: cookieHash}, Ends: ends, At: at}
}

func create(t *testing.T, store *sqlstore.Store, s *sessions.Session, r ports.Renewal) error {
	t.Helper()
	_, err := store.Create(t.Context(), s, r)
	return err
}

func failing(_ bool, err error) error { return err }

func TestASessionReadsAsItWasWritten(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		want := session("ses_1")
		require.NoError(t, create(t, store, want, renewal([]byte("hash"))))
		got, err := reader.ByCookie(t.Context(), []byte("hash"))
		require.NoError(t, err)
		want.Proof = []byte("hash")
		require.Equal(t, want, got)
		require.Equal(t, database.KindConflict,
			database.Classify(t.Context(), create(t, store, session("ses_2"), renewal([]byte("hash")))))
	})
}

func TestAFailedCreateLeavesTheReplacedSessionAlive(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		require.NoError(t, create(t, store, session("ses_1"), renewal([]byte("one"))))
		require.Error(t, create(t, store, session("ses_1"), renewal([]byte("two"), "ses_1")))
		s, err := reader.Session(t.Context(), "ses_1")
		require.NoError(t, err)
		require.True(t, s.EndedAt.IsZero())
	})
}

// OpenID Connect Core 2: a session has one tenant, the tenant_id of its ID tokens.
func TestATenantIsChosenOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := seeded(t, db)
		require.NoError(t, create(t, store, session("ses_1"), renewal([]byte("one"))))
		var chosen [50]bool
		var wg sync.WaitGroup
		for i := range chosen {
			wg.Go(func() { chosen[i], _ = store.ChooseTenant(t.Context(), "ses_1", "tnt_1") })
		}

		wg.Wait()
		won := 0
		for _, ok := range chosen {
			if ok {
				won++
			}
		}

		require.Equal(t, 1, won)

		require.NoError(t, create(t, store, session("ses_2"), renewal([]byte("two"))))
		require.NoError(t, store.End(t.Context(), "ses_2", at))
		ok, err := store.ChooseTenant(t.Context(), "ses_2", "tnt_1")
		require.NoError(t, err)
		require.False(t, ok, "an ended session chooses nothing")
	})
}

func TestTheFirstEndStands(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		require.NoError(t, store.End(t.Context(), "ses_unknown", at))
		require.NoError(t, create(t, store, session("ses_1"), renewal([]byte("one"))))
		require.NoError(t, store.End(t.Context(), "ses_1", at.Add(time.Minute)))
		require.NoError(t, store.End(t.Context(), "ses_1", at.Add(time.Hour)))
		s, err := reader.Session(t.Context(), "ses_1")
		require.NoError(t, err)
		require.Equal(t, at.Add(time.Minute), s.EndedAt)
	})
}

// OpenID Connect Core 3.1.2.4.
func TestConsentsAddUp(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		key := sessions.ConsentKey{UserID: "usr_1", TenantID: "tnt_1", ClientID: "app_1"}
		require.NoError(t, store.Remember(t.Context(), key, oauth.Scopes{"a", "b"}, at))
		require.NoError(t, store.Remember(t.Context(), key, oauth.Scopes{"c", "a"}, at))
		got, err := reader.Consented(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, oauth.Scopes{"a", "b", "c"}, got)
		key.Resource = "https://api.test"
		got, err = reader.Consented(t.Context(), key)
		require.NoError(t, err)
		require.Empty(t, got)
	})
}

func TestSessionsLongPastAreRemovedInBatches(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		for i, id := range []string{"ses_1", "ses_2", "ses_3", "ses_4"} {
			s := session(id)
			s.ExpiresAt = at.Add(time.Duration(i) * time.Hour)
			require.NoError(t, create(t, store, s, renewal([]byte(id))))
		}

		for _, want := range []int{2, 1, 0} {
			n, err := store.DeleteExpired(t.Context(), at.Add(3*time.Hour), 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}

		_, err := reader.Session(t.Context(), "ses_4")
		require.NoError(t, err, "not before its time")
	})
}

func TestACancelledContextIsUnavailable(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := seeded(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()

		for _, err := range []error{
			failing(store.Create(ctx, session("ses_1"), renewal([]byte("x")))),
			store.End(ctx, "ses_1", at),
			store.Remember(ctx, sessions.ConsentKey{}, nil, at),
		} {
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

func TestANewSessionTakesTheBrowsersOthersAlong(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		for _, id := range []string{"ses_1", "ses_2", "ses_3"} {
			r := renewal([]byte(id))
			if id != "ses_3" {
				r.New.Accounts = []byte("planted")
			}
			require.NoError(t, create(t, store, session(id), r))
		}

		n := session("ses_4")
		n.UserAgent, n.Address = "agent", "192.0.2.1"
		browser := []byte("browser")
		r := renewal([]byte("four"), "ses_1")
		r.Old.Accounts, r.New.Accounts = []byte("planted"), browser
		require.NoError(t, create(t, store, n, r))

		for id, want := range map[string]struct {
			ended   bool
			browser []byte
		}{
			"ses_1": {true, []byte("planted")},
			"ses_2": {false, browser},
			"ses_3": {false, nil},
			"ses_4": {false, browser},
		} {
			s, err := reader.Session(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want.ended, !s.EndedAt.IsZero(), id)

			var hash []byte
			require.NoError(t, db.Get(t.Context(), "test.browser", &hash,
				`SELECT browser_hash FROM sessions WHERE id = $1`, id))
			require.Equal(t, want.browser, hash, id)
		}
	})
}

// RFC 6265 8.4.
func TestARenewedSessionIsFoundByItsNewCookieOnly(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, reader := seeded(t, db), sessionstore.New(db)
		require.NoError(t, create(t, store, session("ses_1"), renewal([]byte("old"))))
		r := renewal([]byte("new"))
		ok, err := store.Renew(t.Context(), session("ses_1"), r)
		require.NoError(t, err)
		require.False(t, ok, "without a cookie that stands for it")
		r.Old.Session = []byte("old")
		ok, err = store.Renew(t.Context(), session("ses_1"), r)
		require.NoError(t, err)
		require.True(t, ok)
		_, err = reader.ByCookie(t.Context(), []byte("old"))
		require.ErrorIs(t, err, sessions.ErrNotFound)
		_, err = reader.ByCookie(t.Context(), []byte("new"))
		require.NoError(t, err)

		require.NoError(t, store.End(t.Context(), "ses_1", at))

		for _, id := range []string{"ses_1", "ses_unknown"} {
			r.Old.Session, r.New.Session = []byte("new"), []byte("newer")
			ok, err = store.Renew(t.Context(), session(id), r)
			require.NoError(t, err)
			require.False(t, ok, id)
		}
	})
}
