package device_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const bob = "usr_bob"

// signInBob signs a second person in.
func (w *world) signInBob() (session string) {
	w.t.Helper()
	ctx, now := w.t.Context(), w.clock.Now()
	require.NoError(w.t, directorystore.NewOperator(w.db).Tx(ctx, func(op *directorystore.Writer) error {
		return op.SaveUser(ctx, directory.User{
			ID:     bob,
			Email:  "bob@acme.test",
			Name:   "Bob",
			Active: true,
		}, []string{acme}, now)
	}))

	id, session := w.signIn()
	w.exec(`UPDATE sessions SET user_id = $2 WHERE id = $1`, id, bob)

	return session
}

func (w *world) approval(code, session, csrf string) visit {
	return visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form: url.Values{
			"user_code": {code}, "action": {"approve"}, "csrf_token": {csrf},
		},
	}
}

// Whoever of two people is first has signed the device in; the other hears that
// nobody waits any more (RFC 8628 3.3).
func TestTwoPeopleApproveAtOnceAndOneCounts(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, first := w.signIn()
		people := map[string]string{ada: first, bob: w.signInBob()}
		for range 10 {
			code := w.device()
			visits := map[string]visit{}
			for who, session := range people {
				visits[who] = w.approval(code, session, w.csrf(code, session))
			}

			var wg sync.WaitGroup
			var mu sync.Mutex
			statuses := map[int][]string{}
			for who, v := range visits {
				wg.Go(func() {
					status := w.do(v).StatusCode
					mu.Lock()
					defer mu.Unlock()
					statuses[status] = append(statuses[status], who)
				})
			}

			wg.Wait()
			require.Len(t, statuses[http.StatusOK], 1, statuses)
			require.Len(t, statuses[http.StatusNotFound], 1, statuses)
			require.Equal(t, 1,
				w.count(`SELECT count(*) FROM device_codes WHERE user_code = $1 AND user_id = $2`, code,
					statuses[http.StatusOK][0]))
		}
	})
}

// RFC 8628 3.3, 3.5.
func TestAnApprovalThatComesTooLateOrTwice(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, session := w.signIn()
		late, twice := w.device(), w.device()
		slow := w.approval(late, session, w.csrf(late, session))
		once := w.approval(twice, session, w.csrf(twice, session))
		require.Equal(t, "approved", w.do(once).json(http.StatusOK)["status"])
		w.do(once).json(http.StatusNotFound)
		w.clock.Advance(10 * time.Minute)
		w.do(slow).json(http.StatusNotFound)
		require.Equal(t, 1, w.count(`SELECT count(*) FROM device_codes WHERE decision <> ''`))
	})
}

// RFC 6749 5.2.
func TestTheTrailTellsWhoDidNotAuthenticate(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		try := func(id string) int {
			return w.do(visit{
				method: http.MethodPost,
				path:   authorizePath,
				form:   url.Values{"client_id": {id}, "client_secret": {"wrong"}},
			}).StatusCode
		}
		require.Equal(t, http.StatusUnauthorized, try("nobody"))
		require.Zero(t, w.count(`SELECT count(*) FROM audit_events`), "attackers make up names")

		for range 19 {
			require.Equal(t, http.StatusUnauthorized, try("web"))
		}

		for range 5 {
			require.Equal(t, http.StatusTooManyRequests, try("web"))
		}

		const told = `SELECT count(*) FROM audit_events WHERE service = 'device' AND client_id = 'web' AND kind = $1`
		require.Equal(t, 19, w.count(told, "token.client_refused"))
		require.Equal(t, 1, w.count(told, "token.client_blocked"), "and not those that follow")
	})
}

func TestThePageTellsWhereTheDeviceAsksFrom(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, session := w.signIn()
		asked := func(from string) url.Values {
			res := w.do(visit{
				method: http.MethodPost,
				path:   authorizePath,
				form:   url.Values{"client_id": {"tv"}},
				from:   from,
			})

			return url.Values{"user_code": {res.json(http.StatusOK)["user_code"].(string)}}
		}

		near, far, six := asked("192.0.2.7"), asked("203.0.113.9"), asked("2001:db8::7")
		for _, tt := range []struct {
			code       url.Values
			from, want string
		}{
			{near, "192.0.2.7", "192.0.2.7 (the network that you are in now)"},
			{far, "192.0.2.7", "203.0.113.9 (not the network that you are in now)"},
			{six, "2001:db8::8", "2001:db8::7 (the network that you are in now)"},
			{six, "2001:db8:0:1::7", "2001:db8::7 (not the network that you are in now)"},
		} {
			page := w.do(visit{
				path:    pagePath,
				page:    true,
				session: session,
				query:   tt.code,
				from:    tt.from,
			})

			require.Contains(t, page.body, tt.want, "RFC 8628 5.4")
		}

		w.exec(`UPDATE device_codes SET address = ''`) // asked before addresses were kept
		require.NotContains(t, w.do(visit{
			path:    pagePath,
			page:    true,
			session: session,
			query:   near,
		}).body, "asks from")
	})
}

// A browser without Sec-Fetch-Site says where a form comes from by Origin alone,
// and that is null on a page without a referrer (Fetch 3.1).
func TestABrowserWithoutFetchMetadataMayDecide(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	page := w.do(visit{
		path:    pagePath,
		page:    true,
		session: session,
		query:   url.Values{"user_code": {code}},
	})

	require.Equal(t, []string{"same-origin"}, page.Header.Values("Referrer-Policy"))

	for from, want := range map[string]int{
		"null":              http.StatusForbidden,
		"https://evil.test": http.StatusForbidden,
		origin:              http.StatusBadRequest,
	} {
		v := w.approval(code, session, w.csrf(code, session))
		v.foreign, v.headers = true, http.Header{"Origin": {from}}
		v.form.Set("action", "something") // all that is wrong with our own
		require.Equal(t, want, w.do(v).StatusCode, from)
	}
}

// A password session of a tenant that has become sso_only approves no device.
func TestAPasswordSessionApprovesNothingOnceItsTenantIsSSOOnly(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		_, before := w.signIn()
		require.NotEmpty(t, w.csrf(code, before))

		w.exec(`UPDATE tenants SET sso_only = true WHERE id = $1`, acme)
		_, since := w.signIn()

		for name, session := range map[string]string{"before": before, "since": since} {
			away := w.do(visit{path: pagePath, page: true, session: session, query: url.Values{"user_code": {code}}})
			require.Equal(t, http.StatusSeeOther, away.StatusCode, name)
			require.Contains(t, away.Header.Get("Location"), "/auth/flows/", name)
		}
	})
}
