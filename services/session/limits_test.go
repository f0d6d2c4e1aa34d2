package session

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// guess sends a password for an address from somewhere, in a browser that nobody
// knows.
func (w *world) guess(address, email, password string) *http.Response {
	w.t.Helper()
	return w.newBrowser().guess(address, email, password)
}

// guess sends a password in a flow of its own, with the browser's cookies.
func (b *visitor) guess(address, email, password string) *http.Response {
	b.w.t.Helper()
	b.w.clock.Advance(time.Millisecond) // else a session of just now would answer
	id, page := b.flow(prompt(oauth.PromptLogin))
	require.NoError(b.w.t, b.w.login(id, email))
	body := url.Values{"csrf_token": {b.token(page)}, "password": {password}}
	r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, page+"/password",
		strings.NewReader(body.Encode()))
	require.NoError(b.w.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")

	for _, c := range b.Cookies(origin) {
		r.AddCookie(c)
	}

	res, err := b.w.from(address, r)
	require.NoError(b.w.t, err)
	return res
}

// signedIn reports whether an answer brought a session.
func signedIn(res *http.Response) bool {
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, "platform_session") && c.MaxAge > 0 {
			return true
		}
	}
	return false
}

// RFC 6749 10.10, RFC 6585 4, RFC 9110 10.2.3.
func TestTooManyWrongPasswordsHaveToWaitLongerAndLonger(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for range 10 {
			require.Equal(t, http.StatusSeeOther, w.guess("192.0.2.1", "ada@acme.test", "wrong").StatusCode)
		}

		last := time.Duration(0)
		for range 6 {
			before := w.hasher.Work()
			res := w.guess("192.0.2.1", "ada@acme.test", rightWords)
			require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
			require.Equal(t, before, w.hasher.Work(), "nothing is hashed")
			require.False(t, signedIn(res))
			seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
			require.NoError(t, err)
			wait := time.Duration(seconds) * time.Second
			require.Greater(t, wait, last)
			last = wait
			w.clock.Advance(wait)
			require.Equal(t, http.StatusSeeOther, w.guess("192.0.2.1", "ada@acme.test", "wrong").StatusCode,
				"after the wait one may guess again")
		}

		w.clock.Advance(16 * time.Minute)
		require.True(t, signedIn(w.guess("192.0.2.1", "ada@acme.test", rightWords)), "no lock-out lasts")
	})
}

// RFC 6585 4.
func TestTheLimitPageSaysWhenAndTheTrailFindsItsReference(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for range 14 {
			w.guess("192.0.2.1", "ada@acme.test", "wrong")
			w.clock.Advance(time.Second)
		}

		b := w.newBrowser()
		_, page := b.flow(nil)
		p := b.signIn(page, "ada@acme.test")
		require.Equal(t, http.StatusTooManyRequests, p.Status)
		require.Equal(t, "Too many attempts", p.H1())
		require.Regexp(t, `You can try again in \d+ seconds?\.`, p.Text())
		require.NotEmpty(t, p.Header.Get("Retry-After"))
		require.Equal(t, "no-store", p.Header.Get("Cache-Control"))
		found := false
		for _, e := range w.trail(audit.SignInBlocked) {
			require.Empty(t, e.UserID, "the trail names no guess")
			require.Equal(t, "192.0.2.1", e.Address)
			found = found || strings.Contains(p.Text(), "Reference "+e.Reference)
		}

		require.True(t, found)
		require.Equal(t, "Sign in to Acme Corp", p.Follow("Try again").H1())
	})
}

// RFC 6749 10.10. Keys are of what was typed: unknown accounts behave alike.
func TestTheLimitTellsNobodyWhoExists(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		type answer struct {
			status   int
			retry    string
			location string
			work     int64
		}

		answers := map[string][]answer{}
		for i, name := range []string{"ada", "unknown", "disabled", "upstream"} {
			for range 14 {
				before := w.hasher.Work()
				res := w.guess(fmt.Sprintf("198.51.100.%d", i), name+"@acme.test", "wrong")
				location := res.Header.Get("Location")
				if at := strings.Index(location, "req_"); at >= 0 {
					location = location[:at] + location[strings.IndexByte(location, '?'):]
				}

				answers[name] = append(answers[name],
					answer{res.StatusCode, res.Header.Get("Retry-After"), location, w.hasher.Work() - before})
			}

			require.Equal(t, answers["ada"], answers[name], name)
		}

		require.Equal(t, http.StatusTooManyRequests, answers["ada"][13].status)
	})
}

// RFC 6749 10.10: the limit of an account can't be used against its owner, whose browser
// has a signed cookie for it.
func TestAStrangerLocksNobodyOut(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		home, _ := w.atHome("ada@acme.test") // her browser has a device cookie now
		const attackers = 8
		var blocked atomic.Int32
		stop := make(chan struct{})
		var wg sync.WaitGroup
		browsers := make([]*visitor, attackers)
		for i := range browsers {
			browsers[i] = w.newBrowser()
		}

		for i, b := range browsers {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}

					res := b.guess(fmt.Sprintf("203.0.%d.%d", i, n%250), "ada@acme.test", "wrong")
					if res.StatusCode == http.StatusTooManyRequests {
						blocked.Add(1)
					}
				}
			})
		}

		require.Eventually(t, func() bool { return blocked.Load() > 0 }, 2*time.Minute, time.Millisecond)

		for range 5 {
			require.True(t, signedIn(home.guess("192.0.2.1", "ada@acme.test", rightWords)),
				"the owner signs in during the attack")
		}

		close(stop)
		wg.Wait()
		require.Equal(t, http.StatusTooManyRequests, w.guess("192.0.2.1", "ada@acme.test", rightWords).StatusCode,
			"an unknown browser has to wait")
		require.True(t, signedIn(w.guess("192.0.2.1", "bob@acme.test", rightWords)), "other accounts do not")

		// What the owner's browser is known for is her account only, and only as long
		// as she does not guess herself.
		for range 10 {
			home.guess("192.0.2.9", "ada@acme.test", "wrong")
		}

		require.Equal(t, http.StatusTooManyRequests, home.guess("192.0.2.9", "ada@acme.test", rightWords).StatusCode)
		res := home.guess("192.0.2.1", "ada@acme.test", rightWords)
		require.Equal(t, http.StatusTooManyRequests, res.StatusCode, "wherever the browser is")
		w.clock.Advance(retryAfter(t, res))
		require.True(t, signedIn(home.guess("192.0.2.1", "ada@acme.test", rightWords)))
	})
}

// RFC 6749 10.10: what replicas count they count together.
func TestReplicasCountGuessesTogether(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		other, err := build(testConfig(t), w.deps(), w.hasher)
		require.NoError(t, err)
		replicas := []http.Handler{w.handler, other.Handler}
		for i := range 10 {
			w.handler = replicas[i%2]
			require.Equal(t, http.StatusSeeOther, w.guess("192.0.2.1", "ada@acme.test", "wrong").StatusCode)
		}

		for _, w.handler = range replicas {
			require.Equal(t, http.StatusTooManyRequests, w.guess("192.0.2.1", "ada@acme.test", rightWords).StatusCode)
		}
	})
}

// RFC 9106 4, RFC 9110 15.6.4: hashing takes memory, so only so many hashes are made
// at once; a burst waits, or hears 503, and the machine is well.
func TestABurstOfPasswordsWaitsOrHears503(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		hasher, err := password.New(password.Options{
			Params: password.Params{Memory: 4096, Time: 1, Threads: 1},
			Slots:  1,
			Queue:  3,
		})
		require.NoError(t, err)
		service, err := build(testConfig(t), w.deps(), hasher)
		require.NoError(t, err)

		// The slot is taken until the first has been turned away: of ten who may guess at
		// once only three can wait for it.
		leave, err := hasher.Hold(t.Context(), limits.Caller{})
		require.NoError(t, err)
		var turnedAway sync.Once
		w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			service.Handler.ServeHTTP(answer, r)
			if answer.Code == http.StatusServiceUnavailable {
				turnedAway.Do(leave)
			}

			maps.Copy(rw.Header(), answer.Header())
			rw.WriteHeader(answer.Code)
			_, _ = rw.Write(answer.Body.Bytes())
		})

		b := w.newBrowser()
		id, page := b.flow(nil)
		require.NoError(t, w.login(id, "unknown@acme.test"))
		token := b.token(page)
		answers := map[int]int{}
		for _, res := range b.race(page+"/password",
			func(int) url.Values { return url.Values{"csrf_token": {token}, "password": {"wrong"}} }) {
			answers[res.StatusCode]++
			if res.StatusCode == http.StatusServiceUnavailable {
				require.NotEmpty(t, res.Header.Get("Retry-After"))
			}
		}

		require.Positive(t, answers[http.StatusServiceUnavailable], answers)
		require.GreaterOrEqual(t, hasher.Work(), int64(2*answers[http.StatusSeeOther]), "one of each cost")
		require.Less(t, hasher.Work(), int64(2*racers), "those who were turned away cost no hash")
		require.Equal(t, racers,
			answers[http.StatusServiceUnavailable]+answers[http.StatusSeeOther]+answers[http.StatusTooManyRequests],
			answers)
		require.True(t, signedIn(w.guess("192.0.2.9", "bob@acme.test", rightWords)), "and afterwards it goes on")
	})
}

// RFC 6749 10.10; RFC 4291 2.5.1: an attacker with an IPv6 network has all of its addresses.
func TestAnAddressCountsForAllAccountsAndAnIPv6OneAsItsNetwork(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for i := range 100 {
			res := w.guess(fmt.Sprintf("2001:db8:1:2::%x", i+1), fmt.Sprintf("nobody%d@acme.test", i), "wrong")
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
		}
		require.Equal(t, http.StatusTooManyRequests,
			w.guess("2001:db8:1:2:ffff::1", "ada@acme.test", rightWords).StatusCode, "the same /64")
		require.True(t, signedIn(w.guess("2001:db8:1:3::1", "ada@acme.test", rightWords)), "the next /64")
	})
}
