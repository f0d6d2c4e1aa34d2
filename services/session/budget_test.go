package session

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// retryAfter is how long an answer asks to wait.
func retryAfter(t *testing.T, res *http.Response) time.Duration {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	require.NoError(t, err)
	return time.Duration(seconds) * time.Second
}

// Ten means ten: attempts are counted before they are judged, so that those which run at once on two replicas, from
// as many addresses, are no more (RFC 6749 10.10).
func TestOfManyGuessesAtOnceOnTwoReplicasTenAreJudged(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		other, err := build(testConfig(t), w.deps(), w.hasher)
		require.NoError(t, err)
		second := *w
		second.handler = other.Handler
		replicas := []*world{w, &second}

		const guesses = 80
		browsers := make([]*visitor, guesses)
		for i := range browsers {
			browsers[i] = replicas[i%2].newBrowser()
		}

		before := w.hasher.Work()
		var refused atomic.Int32
		var wg sync.WaitGroup
		for i, b := range browsers {
			wg.Go(func() {
				if res := b.guess(fmt.Sprintf("203.0.%d.1", i), "ada@acme.test",
					"wrong"); res.StatusCode == http.StatusTooManyRequests {
					refused.Add(1)
				}
			})
		}

		wg.Wait()
		require.EqualValues(t, 10, w.hasher.Work()-before)
		require.EqualValues(t, guesses-10, refused.Load())
	})
}

// A right password is given back: an office signs in all day long.
func TestRightPasswordsNeverAddUp(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for range 105 {
			require.True(t, signedIn(w.guess("192.0.2.1", "ada@acme.test", rightWords)))
		}
	})
}

// A browser that the account knows is held by its own count only: not by what the same address did to the account, nor
// by what it did to others.
func TestABrowserThatTheAccountKnowsHasACountOfItsOwn(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		home, _ := w.atHome("ada@acme.test")

		for i := range 120 { // the pair first, then the address
			w.guess("192.0.2.1", fmt.Sprintf("nobody%d@acme.test", i), "wrong")
			w.guess("192.0.2.1", "ada@acme.test", "wrong")
		}

		retryAfter(t, w.guess("192.0.2.1", "ada@acme.test", rightWords))
		require.True(t, signedIn(home.guess("192.0.2.1", "ada@acme.test", rightWords)))

		for range 10 {
			require.Equal(t, http.StatusSeeOther, home.guess("192.0.2.1", "ada@acme.test", "wrong").StatusCode)
		}

		retryAfter(t, home.guess("198.51.100.1", "ada@acme.test", rightWords))
	})
}

// An account under attack makes unknown browsers wait, but not for long: one that waits as told gets in while the attack
// goes on.
func TestAnAccountUnderAttackSlowsStrangersAndRefusesNone(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		attack := func() {
			for i := range 3 { // three addresses, each as often as it may
				w.guess(fmt.Sprintf("203.0.%d.1", i), "ada@acme.test", "wrong")
			}
		}
		for range 60 {
			attack()
			w.clock.Advance(10 * time.Second)
		}

		tries := 0
		for {
			tries++
			res := w.guess("2001:db8:7::1", "ada@acme.test", rightWords)
			if signedIn(res) {
				break
			}

			wait := retryAfter(t, res)
			require.LessOrEqual(t, wait, 30*time.Second)

			for range int(wait / time.Second) { // the attack goes on each second
				w.clock.Advance(time.Second - 10*time.Millisecond)
				attack()
				w.clock.Advance(10 * time.Millisecond)
			}

			require.Less(t, tries, 10, "the owner gets in")
		}
	})
}

// NIST SP 800-63B 5.2.2: a hundred in a row, of all unknown browsers together.
func TestAfterAHundredFailuresThereIsOneAttemptAnHour(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		home, _ := w.atHome("ada@acme.test")
		judged := 0
		for i := range 150 {
			before := w.hasher.Work()
			w.guess(fmt.Sprintf("203.%d.1.1", i), "ada@acme.test", "wrong")
			judged += int(w.hasher.Work() - before)
			w.clock.Advance(16 * time.Minute / 10) // the short count never starts anew
		}

		require.LessOrEqual(t, judged, 101)
		require.GreaterOrEqual(t, judged, 100)
		require.Greater(t, retryAfter(t, w.guess("198.51.100.1", "ada@acme.test", rightWords)), 10*time.Minute)

		require.True(t, signedIn(home.guess("192.0.2.1", "ada@acme.test", rightWords)),
			"the owner's browser is held by none of it")
		w.clock.Advance(time.Minute)
		require.True(t, signedIn(w.guess("198.51.100.1", "ada@acme.test", rightWords)), "and its success counts")
	})
}

// NIST SP 800-63B 5.2.2: failures are consecutive until a success, however long an attacker pauses between them, both in
// unknown browsers and in one that the account knows. Neither locks the owner out.
func TestAPauseDoesNotResetAHundredFailures(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for name, known := range map[string]bool{"from unknown browsers": false, "from a known browser": true} {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T, w *world) {
				home, _ := w.atHome("ada@acme.test")
				stolen, _ := w.atHome("ada@acme.test")
				wrong := func(i int) *http.Response {
					w.clock.Advance(16 * time.Minute) // the short counts start anew
					if known {
						return stolen.guess("203.0.113.1", "ada@acme.test", "wrong")
					}
					return w.guess(fmt.Sprintf("203.%d.1.1", i), "ada@acme.test", "wrong")
				}

				for i := range 100 {
					if i > 0 && i%33 == 0 {
						w.clock.Advance(week)
					}
					require.Equal(t, http.StatusSeeOther, wrong(i).StatusCode)
				}

				require.Greater(t, retryAfter(t, wrong(100)), 30*time.Minute)
				w.clock.Advance(time.Hour)
				require.Equal(t, http.StatusSeeOther, wrong(101).StatusCode, "one attempt an hour")
				require.Greater(t, retryAfter(t, wrong(102)), 90*time.Minute, "then one in two")

				require.True(t, signedIn(home.guess("192.0.2.1", "ada@acme.test", rightWords)), "the owner gets in")
			})
		})
	}
}

// A month without a failure resets the count, so that the table doesn't grow for ever.
func TestAMonthWithoutAFailureResetsAHundred(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for i := range 100 {
			w.clock.Advance(16 * time.Minute)
			w.guess(fmt.Sprintf("203.%d.1.1", i), "unknown@acme.test", "wrong")
		}

		w.clock.Advance(31 * 24 * time.Hour)
		for i := range 2 {
			require.Equal(t, http.StatusSeeOther,
				w.guess(fmt.Sprintf("203.%d.1.1", i), "unknown@acme.test", "wrong").StatusCode)
		}
	})
}

// One password for many accounts: each is tried once, so only the address sees it. It is slowed down, since a
// university may be behind it.
func TestAnAddressThatTriesManyAccountsIsSlowed(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for i := range 100 {
			require.Equal(t, http.StatusSeeOther,
				w.guess("192.0.2.1", fmt.Sprintf("nobody%d@acme.test", i), "wrong").StatusCode)
			w.clock.Advance(time.Minute)
		}

		w.clock.Advance(-time.Minute)
		w.clock.Advance(16 * time.Minute) // the short count is forgotten, the day's is not
		require.Equal(t, http.StatusSeeOther, w.guess("192.0.2.1", "another@acme.test", "wrong").StatusCode)
		require.LessOrEqual(t, retryAfter(t, w.guess("192.0.2.1", "ada@acme.test", rightWords)), time.Minute)

		for range 5 { // the same account again isn't a new one
			w.clock.Advance(time.Minute)
			require.Equal(t, http.StatusSeeOther, w.guess("192.0.2.1", "another@acme.test", "wrong").StatusCode)
		}

		require.True(t, signedIn(w.guess("192.0.2.1", "ada@acme.test", rightWords)))
	})
}

// A /48 is one customer: its /64s together may fail four times as often as one of them (RFC 6177).
func TestASiteCountsAsOne(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		n := 0
		for ; n < 1000; n++ {
			if w.guess(fmt.Sprintf("2001:db8:1:%x::1", n%256*256+n/256), fmt.Sprintf("nobody%d@acme.test", n),
				"wrong").StatusCode != http.StatusSeeOther {
				break
			}
		}

		require.Equal(t, 400, n)
		require.True(t, signedIn(w.guess("2001:db8:2::1", "ada@acme.test", rightWords)), "the next /48")
	})
}
