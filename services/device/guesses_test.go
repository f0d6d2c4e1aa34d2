package device_test

import (
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const (
	here  = "192.0.2.7"
	there = "198.51.100.9"
)

// look asks what a code stands for.
func (w *world) look(code, from, session string) *reply {
	w.t.Helper()
	return w.do(visit{
		path:    verifyPath,
		query:   url.Values{"user_code": {code}},
		from:    from,
		session: session,
	})
}

// guess is wrong n times.
func (w *world) guess(n int, from, session string) {
	w.t.Helper()
	for range n {
		w.look("BBBB-BBBB", from, session).json(http.StatusNotFound)
	}
}

// blocked demands 429 (RFC 6585 4).
func (r *reply) blocked(seconds int) {
	r.t.Helper()
	require.Equal(r.t, "too_many_requests", r.json(http.StatusTooManyRequests)["error"])
	require.Equal(r.t, strconv.Itoa(seconds), r.Header.Get("Retry-After"))
}

// RFC 8628 5.1.
func TestWrongCodesOfAPersonHaveToWaitLongerEachTime(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		_, session := w.signIn()
		w.guess(10, here, session)
		w.look(code, here, session).blocked(1)
		page := w.do(visit{
			path:    pagePath,
			page:    true,
			query:   url.Values{"user_code": {code}},
			from:    here,
			session: session,
		})

		require.Equal(t, http.StatusTooManyRequests, page.StatusCode)
		require.Equal(t, "1", page.Header.Get("Retry-After"))
		require.Contains(t, page.body, "Too many attempts")
		w.do(visit{
			method:  http.MethodPost,
			path:    verifyPath,
			form:    url.Values{"user_code": {code}},
			from:    here,
			session: session,
		}).blocked(1)

		w.clock.Advance(time.Second)
		w.look(code, here, session).json(http.StatusOK)
		w.guess(1, here, session)
		w.look(code, here, session).blocked(2)
		w.clock.Advance(15*time.Minute + 2*time.Second)
		w.guess(9, here, session)
		w.look(w.device(), here, session).json(http.StatusOK)
	})
}

// RFC 8628 5.1.
func TestARightCodeResetsNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	for range 3 {
		w.guess(3, here, session)
		w.look(code, here, session).json(http.StatusOK)
		code := w.device()
		done := w.do(visit{
			method:  http.MethodPost,
			path:    verifyPath,
			session: session,
			from:    there,
			form:    url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {w.csrf(code, session)}},
		})

		done.json(http.StatusOK)
	}

	w.guess(1, here, session)
	w.look(code, here, session).blocked(1)
}

// RFC 8628 5.1: a person has no more guesses for signing in again and again.
func TestAPersonIsCountedWhereverTheyAreSignedIn(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	for i := range 10 {
		_, session := w.signIn()
		w.guess(1, "192.0.2."+strconv.Itoa(i), session)
	}

	_, again := w.signIn()
	w.look(code, there, again).blocked(1)
	w.look(code, there, "").json(http.StatusOK)
	_, other := w.signInAs(grace)
	w.look(code, there, other).json(http.StatusOK)
}

// RFC 8628 5.1, RFC 4291 2.5.4: a client with one address has 2^64.
func TestAnIPv6NetworkIsOneAddress(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	for i := range 10 {
		w.guess(1, "2001:db8:1:2::"+strconv.Itoa(i), "")
	}

	w.look(code, "2001:db8:1:2:ffff::1", "").signInFirst()
	w.look(code, "2001:db8:1:3::1", "").json(http.StatusOK)
}

// RFC 8628 5.1.
func TestWhatIsNoGuessIsNotCounted(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	form := url.Values{"user_code": {code}, "action": {"deny"}, "csrf_token": {w.csrf(code, session)}}
	w.do(visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form:    form,
	}).json(http.StatusOK)

	w.exec(`DELETE FROM limits`) // the device's own asking counts as a start

	for range 15 {
		w.look("hello", here, "").json(http.StatusNotFound)
		w.look(code, here, "").json(http.StatusNotFound)
	}

	require.Zero(t, w.count(`SELECT coalesce(sum(failures), 0) FROM limits`))

	expired := w.device()
	w.clock.Advance(10 * time.Minute)

	for range 10 {
		w.look(expired, here, "").json(http.StatusNotFound)
	}

	w.look(w.device(), here, "").signInFirst()
}

// RFC 8628 5.1.
func TestReplicasCountTogether(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		other := &world{
			t:       t,
			db:      db,
			clock:   w.clock,
			service: w.replica(db),
		}

		var wg sync.WaitGroup
		for i := range 50 {
			asked := []*world{w, other}[i%2]
			wg.Go(func() {
				res := asked.look("BBBB-BBBB", "192.0."+strconv.Itoa(i/5)+".7", "")
				if res.StatusCode != http.StatusNotFound {
					t.Errorf("guess %d: %d", i, res.StatusCode)
				}
			})
		}

		wg.Wait()
		require.Equal(t, 20, w.count(`SELECT count(*) FROM limits WHERE failures = 5`),
			"ten addresses and their networks")
		require.Equal(t, 1, w.count(`SELECT count(*) FROM limits WHERE failures = 50`), "the platform")
		w.guess(5, "192.0.0.7", "")
		other.look(code, "192.0.0.7", "").signInFirst()
	})
}

// RFC 8628 5.1: as rate-limited as it takes for guessing to be hopeless.
func TestBeyondTheBudgetOnlySignedInPeopleLookUp(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.clock.Advance(time.Minute)
		code := w.device()
		w.device()
		_, session := w.signIn()
		w.exec(`DELETE FROM limits`) // what the devices' asking counted
		w.guess(1, here, "")
		// With two codes waiting 12,799,999 wrong guesses are the budget, half of it
		// this window's. One is left.
		w.exec(`UPDATE limits SET failures = 6399998`)
		w.look(code, there, "").json(http.StatusOK)
		w.guess(1, there, "")
		w.look(code, "203.0.113.1", "").signInFirst()
		page := w.do(visit{
			path:  pagePath,
			page:  true,
			query: url.Values{"user_code": {code}},
			from:  "203.0.113.1",
		})

		require.Equal(t, http.StatusForbidden, page.StatusCode)
		require.Contains(t, page.body, "Please sign in first")
		w.look(code, "203.0.113.1", session).json(http.StatusOK)
		w.clock.Advance(9 * time.Minute)
		w.look(w.device(), "203.0.113.1", "").json(http.StatusOK)
	})
}

// Guesses of one network that asked for many codes itself do not make looking up dangerous for others, and its guesses
// do not hold up a person who is signed in.
func TestStrangersDoNotSwitchThePageOffForOthers(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device() // from 192.0.2.1
		_, session := w.signIn()
		now := database.At(w.clock.Now())
		for i := range 200 { // an attacker's, from 203.0.113.0/24
			w.exec(`INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, interval_seconds, address, network, created_at, expires_at)
				VALUES ($1, $2, 'tv', 'openid', 5, '203.0.113.9', '203.0.113.0/24', $3, $4)`,
				[]byte("attacker"+strconv.Itoa(i)), "CODE-"+strconv.Itoa(i), now,
				database.At(w.clock.Now().Add(10*time.Minute)))
		}

		w.guess(1, "203.0.113.9", "")
		w.exec(`DELETE FROM limits WHERE failures <> 1`)
		w.exec(`UPDATE limits SET failures = 70000`) // more than 200 codes leave of the budget, less than one does
		w.exec(`UPDATE limits SET blocked_until = NULL`)
		w.look("BBBB-BBBB", "203.0.114.9", session).json(http.StatusNotFound)
		w.exec(`UPDATE limits SET blocked_until = NULL, failures = 70000`)
		w.look("BBBB-BBBB", "203.0.113.200", "").json(http.StatusNotFound)
		w.look(code, there, "").json(http.StatusOK)

		for range 9 {
			w.look("BBBB-BBBB", there, "")
		}

		w.look(code, there, session).json(http.StatusOK)
	})
}

func TestTheTrailTellsDecisionsAndBlocks(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		sid, session := w.signIn()
		var refs []string

		for _, action := range []string{"approve", "deny"} {
			code := w.device()
			res := w.do(visit{
				method:  http.MethodPost,
				path:    verifyPath,
				session: session,
				from:    here,
				form:    url.Values{"user_code": {code}, "action": {action}, "csrf_token": {w.csrf(code, session)}},
			})

			res.json(http.StatusOK)
			w.clock.Advance(time.Second)
		}

		w.guess(10, here, session)
		records, err := auditstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, records, 3)

		for i := range records {
			require.Equal(t, "device", records[i].Service)
			require.Regexp(t, `^[0-9a-f]{32}$`, records[i].Reference)
			refs, records[i].Reference = append(refs, records[i].Reference), ""
		}

		require.NotEqual(t, refs[0], refs[1])
		who := audit.Event{
			UserID:    ada,
			TenantID:  acme,
			SessionID: sid,
			Address:   here,
			Detail:    map[string]string{},
		}

		approved, denied, blocked := who, who, who
		approved.Kind, approved.ClientID, approved.GrantID, approved.Detail = audit.DeviceApproved, "tv", records[0].GrantID, map[string]string{"scope": "openid profile"}
		denied.Kind, denied.ClientID = audit.DeviceDenied, "tv"
		blocked.Kind = audit.UserCodeBlocked
		blocked.Detail = map[string]string{
			"limit": "person",
			"count": "1",
			"since": "2026-03-01T12:00:00Z", // of the hour
		}
		require.Regexp(t, `^gnt_`, records[0].GrantID)
		require.Equal(t, []audit.Event{approved, denied, blocked},
			[]audit.Event{records[0].Event, records[1].Event, records[2].Event})
	})
}

func TestATrailThatCannotBeWrittenStopsNobody(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	form := url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {w.csrf(code, session)}}
	w.exec(`DROP TABLE audit_events`)
	w.do(visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form:    form,
	}).json(http.StatusOK)
}

func TestAGuessThatCannotBeCountedGetsNoAnswer(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.exec(`DROP TABLE limits`)
	require.Equal(t, "server_error", w.look("BBBB-BBBB", here, "").json(http.StatusInternalServerError)["error"])
}

// RFC 6749 2.3.1.
func TestARightSecretIsNeverHeldUp(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	ask := func(secret, from string) *reply {
		return w.do(visit{
			method: http.MethodPost,
			path:   authorizePath,
			form:   url.Values{"client_id": {"strict"}, "client_secret": {secret}},
			from:   from,
		})
	}
	for range 19 {
		ask("wrong", here).json(http.StatusUnauthorized)
	}

	ask("wrong", here).blocked(1)
	ask(appSecret, here).json(http.StatusOK)
	ask("wrong", there).json(http.StatusUnauthorized)
}
