package session

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// enter types an address at the account page, where a flow is stored for it.
func (b *visitor) enter(email string) *formbrowser.Page {
	b.w.t.Helper()
	return b.Get(accountURL).Submit("Continue", url.Values{"email": {email}})
}

// RFC 6819 4.3.1: a neighbour behind the same address who drops cookies looks like any number of browsers. They use up
// what strangers at the address have, and still people sign in with the browsers that they signed in with before.
func TestANeighbourWhoDropsCookiesHoldsUpNoKnownBrowser(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		ada, _ := w.atHome("ada@acme.test")
		mallory, _ := w.atHome("bob@acme.test")
		w.clock.Advance(13 * time.Hour) // nobody is signed in any more

		before := w.flows()
		for range mostFlows {
			require.Equal(t, http.StatusOK, w.newBrowser().enter("ada@acme.test").Status)
		}

		require.Equal(t, http.StatusTooManyRequests, w.newBrowser().enter("ada@acme.test").Status)
		require.Equal(t, http.StatusTooManyRequests, mallory.enter("ada@acme.test").Status,
			"what knows another account is a stranger to this one")

		page := ada.enter("ada@acme.test")
		require.Equal(t, "Your account", page.Submit("Sign in", url.Values{"password": {rightWords}}).H1())

		w.clock.Advance(13 * time.Hour)
		for range mostFlows {
			w.newBrowser().enter("ada@acme.test")
		}

		entrance := ada.Get(origin + "/auth/tenants/acme")
		require.Equal(t, http.StatusOK, entrance.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Status,
			"nor at the entrance of a tenant")

		require.Equal(t, before+2*mostFlows+2, w.flows())
	})
}

// RFC 6819 4.3.1: the bound holds for an attacker who has an account, too, in however many browsers they sign in to it.
func TestAnAccountStartsSoManySignInsBeyondThoseOfItsAddress(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		const share, browsers = 20, 4
		var known []*visitor
		for range browsers {
			b, _ := w.atHome("bob@acme.test")
			known = append(known, b)
		}

		w.clock.Advance(13 * time.Hour)
		before := w.flows()
		for range mostFlows {
			w.newBrowser().enter("ada@acme.test")
		}

		passed := 0
		for _, b := range known {
			for range share {
				if b.enter("bob@acme.test").Status == http.StatusOK {
					passed++
				}
			}
		}

		require.Equal(t, share, passed)
		require.Equal(t, before+mostFlows+share, w.flows())

		w.clock.Advance(15 * time.Minute)
		require.Equal(t, http.StatusOK, known[0].enter("bob@acme.test").Status, "in the next window it may again")
	})
}
