package sqlstore_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// insertGrant gives an application a token of a session.
func insertGrant(t *testing.T, db *database.DB, id, clientID, sessionID string, offline bool) {
	t.Helper()
	_, err := db.Exec(t.Context(), "test.grant",
		`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
		VALUES ($1, $2, 'usr_1', 'tnt_1', $3, 'openid', $4, $5, $6)`,
		id, clientID, sessionID, offline, database.At(at), database.At(at.Add(time.Hour)))
	require.NoError(t, err)
}

// ended is a store in which the sessions have ended, each with one application to
// be told.
func ended(t *testing.T, db *database.DB, ids ...string) *sqlstore.Store {
	t.Helper()
	store := seeded(t, db)
	saveApplication(t, db, "app_told", "https://told.test/out")
	for i, id := range ids {
		require.NoError(t, create(t, store, session(id), renewal([]byte(id))))
		insertGrant(t, db, "gnt_"+id, "app_told", id, false)
		require.NoError(t, store.End(t.Context(), id, at.Add(time.Duration(i)*time.Second)))
	}
	return store
}

// claimAt is a claim of at most that many notices, of whichever applications.
func claimAt(now time.Time, most int) ports.NoticeClaim {
	return ports.NoticeClaim{
		Now:            now,
		Until:          now.Add(time.Minute),
		Most:           most,
		PerApplication: most,
	}
}

func saveApplication(t *testing.T, db *database.DB, clientID, uri string) {
	t.Helper()
	require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(w *directorystore.Writer) error {
		return w.SaveApplication(t.Context(), &directory.Application{
			ClientID:             clientID,
			Name:                 clientID,
			Type:                 directory.Web,
			ScopeLevel:           directory.Global,
			Active:               true,
			BackchannelLogoutURI: uri,
		}, at)
	}))
}

func ids(notices []ports.LogoutNotice) []string {
	list := []string{}
	for _, n := range notices {
		list = append(list, n.ID)
	}
	slices.Sort(list)
	return list
}

// OpenID Connect Back-Channel Logout 1.0 2.3.
func TestTheEndOfASessionLeavesANoticeForEachApplicationThatHadAToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := seeded(t, db) // app_1 wants to hear of nothing

		for _, clientID := range []string{"a", "b", "off", "elsewhere", "gone"} {
			saveApplication(t, db, clientID, "https://"+clientID+".test/out")
		}

		require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(w *directorystore.Writer) error {
			return w.DisableApplication(t.Context(), "gone", at)
		}))
		require.NoError(t, create(t, store, session("ses_1"), renewal([]byte("one"))))
		require.NoError(t, create(t, store, session("ses_2"), renewal([]byte("two"))))

		for i, clientID := range []string{"a", "a", "b", "app_1", "gone", "deleted"} {
			insertGrant(t, db, "gnt_"+string(rune('0'+i)), clientID, "ses_1", false)
		}

		insertGrant(t, db, "gnt_off", "off", "ses_1", true)
		insertGrant(t, db, "gnt_elsewhere", "elsewhere", "ses_2", false)
		end := at.Add(time.Minute)
		require.NoError(t, store.End(t.Context(), "ses_1", end))
		require.NoError(t, store.End(t.Context(), "ses_1", end.Add(time.Hour)), "nothing more to tell")
		require.NoError(t, store.End(t.Context(), "ses_unknown", end))

		notices, err := store.Claim(t.Context(), claimAt(end, 10))
		require.NoError(t, err)
		require.Equal(t, []string{"ses_1:a", "ses_1:b", "ses_1:gone", "ses_1:off"}, ids(notices),
			"a disabled application hears of what it held until now")
		i := slices.IndexFunc(notices, func(n ports.LogoutNotice) bool { return n.ClientID == "b" })
		require.Equal(t, ports.LogoutNotice{
			ID:        "ses_1:b",
			ClientID:  "b",
			UserID:    "usr_1",
			SessionID: "ses_1",
			CreatedAt: end,
			Attempts:  1,
		}, notices[i])

		require.NoError(t, create(t, store, session("ses_3"), renewal([]byte("three"), "ses_2")))
		notices, err = store.Claim(t.Context(), claimAt(end, 10))
		require.NoError(t, err)
		require.Equal(t, []string{"ses_2:elsewhere"}, ids(notices), "a session that another one replaces ends too")
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5.
func TestAnEndThatIsRolledBackLeavesNoNotice(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := ended(t, db)
		require.NoError(t, create(t, store, session("ses_1"), renewal([]byte("one"))))
		insertGrant(t, db, "gnt_1", "app_told", "ses_1", false)
		require.Error(t, create(t, store, session("ses_1"), renewal([]byte("two"), "ses_1")))
		state, err := store.State(t.Context())
		require.NoError(t, err)
		require.Zero(t, state)
	})
}

func TestTheOldestNoticesAreClaimedFirstAndComeBackAfterTheLease(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := ended(t, db, "ses_1", "ses_2", "ses_3")
		claim := func(after time.Duration, most int) []string {
			now := at.Add(after)
			notices, err := store.Claim(t.Context(), claimAt(now, most))
			require.NoError(t, err)
			return ids(notices)
		}

		require.Empty(t, claim(-time.Second, 9), "none is due yet")
		require.Equal(t, []string{"ses_1:app_told", "ses_2:app_told"}, claim(time.Minute, 2))
		require.Equal(t, []string{"ses_3:app_told"}, claim(time.Minute, 2))
		require.Empty(t, claim(2*time.Minute-time.Second, 9), "they are claimed")
		require.Len(t, claim(2*time.Minute, 9), 3, "who has died, it seems")
		state, err := store.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, state.Waiting)
		require.True(t, at.Equal(state.Oldest), "%s", state.Oldest)
	})
}

func TestANoticeIsSettledByItsHolderOnly(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := ended(t, db, "ses_1")
		one := func(now time.Time) ports.LogoutNotice {
			notices, err := store.Claim(t.Context(), claimAt(now, 1))
			require.NoError(t, err)
			require.Len(t, notices, 1)
			return notices[0]
		}

		first := one(at)
		second := one(at.Add(time.Minute))
		require.Equal(t, []int{1, 2}, []int{first.Attempts, second.Attempts})
		require.NoError(t, store.Postpone(t.Context(), first, at, at))
		gaveUp, err := store.GiveUp(t.Context(), first, at)
		require.NoError(t, err)
		require.False(t, gaveUp)

		require.NoError(t, store.Postpone(t.Context(), second, at.Add(time.Minute), at.Add(time.Hour)))
		third := one(at.Add(time.Hour))
		for _, want := range []bool{true, false} {
			gaveUp, err = store.GiveUp(t.Context(), third, at.Add(time.Hour))
			require.NoError(t, err)
			require.Equal(t, want, gaveUp)
		}

		notices, err := store.Claim(t.Context(), claimAt(at.Add(48*time.Hour), 9))
		require.NoError(t, err)
		require.Empty(t, notices)
		state, err := store.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, ports.OutboxState{Undelivered: 1}, state)

		week := 7 * 24 * time.Hour
		for _, c := range []struct {
			now  time.Time
			want int
		}{{at.Add(time.Hour + week), 0}, {at.Add(2*time.Hour + week), 1}, {at.Add(2*time.Hour + week), 0}} {
			n, err := store.DeleteUndelivered(t.Context(), c.now, 10)
			require.NoError(t, err)
			require.Equal(t, c.want, n)
		}
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5: no application delays another one's.
func TestAClaimTakesOfEachApplicationSoMany(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		var sessions []string
		for i := range 9 {
			sessions = append(sessions, "ses_"+strings.Repeat("x", i+1))
		}

		store := ended(t, db, sessions...)
		saveApplication(t, db, "app_late", "https://late.test/out")
		require.NoError(t, create(t, store, session("ses_late"), renewal([]byte("late"))))
		insertGrant(t, db, "gnt_late", "app_late", "ses_late", false)
		require.NoError(t, store.End(t.Context(), "ses_late", at.Add(time.Minute)))

		now := at.Add(time.Hour)
		c := claimAt(now, 5)
		c.PerApplication = 2
		notices, err := store.Claim(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, []string{"ses_late:app_late", "ses_x:app_told", "ses_xx:app_told"}, ids(notices))

		c.Except = []string{"app_told", "app_other"}
		notices, err = store.Claim(t.Context(), c)
		require.NoError(t, err)
		require.Empty(t, notices)
	})
}

func TestWhatWaitsForAnApplicationIsPostponedTogether(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := ended(t, db, "ses_1", "ses_2", "ses_3")
		now := at.Add(time.Hour)
		failed, err := store.Claim(t.Context(), claimAt(now, 1))
		require.NoError(t, err)
		require.NoError(t, store.Postpone(t.Context(), failed[0], now, now.Add(5*time.Minute)))
		later, err := store.Claim(t.Context(), claimAt(now.Add(5*time.Minute-time.Second), 9))
		require.NoError(t, err)
		require.Empty(t, later)
		later, err = store.Claim(t.Context(), claimAt(now.Add(5*time.Minute), 1))
		require.NoError(t, err)
		require.Equal(t, 2, later[0].Attempts, "the one that was tried before, so that its pauses grow")
		later, err = store.Claim(t.Context(), claimAt(now.Add(5*time.Minute), 9))
		require.NoError(t, err)
		require.Len(t, later, 2)
	})
}

func TestANoticeIsRemovedOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := ended(t, db, "ses_1")
		for _, want := range []bool{true, false} {
			removed, err := store.Remove(t.Context(), "ses_1:app_told")
			require.NoError(t, err)
			require.Equal(t, want, removed)
		}
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5.
func TestOfFiftyClaimsAtOnceEachNoticeGoesToOne(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		var sessions []string
		for i := range 20 {
			sessions = append(sessions, "ses_"+strings.Repeat("x", i+1))
		}

		store := ended(t, db, sessions...)
		var mu sync.Mutex
		var all []ports.LogoutNotice
		now := at.Add(time.Hour)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 50 {
			wg.Go(func() {
				<-start
				notices, err := store.Claim(t.Context(), claimAt(now, 3))
				if err != nil {
					t.Error(err)
				}

				mu.Lock()
				defer mu.Unlock()
				all = append(all, notices...)
			})
		}

		close(start)
		wg.Wait()
		require.Len(t, all, 20)
		require.Len(t, slices.Compact(ids(all)), 20)

		for _, n := range all {
			require.Equal(t, 1, n.Attempts)
		}
	})
}
