package session

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestTheTrailTellsOfEachSessionHowItBeganWentOnAndEnded(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, bob := w.both()
		created := w.trail(audit.SessionCreated)
		require.GreaterOrEqual(t, len(created), 2)
		last := created[len(created)-1]
		require.Equal(t, bob.ID, last.SessionID)
		require.Equal(t, "usr_bob", last.UserID)
		require.Equal(t, "pwd", last.Detail["amr"])
		require.NotEmpty(t, last.Detail["expires_at"])
		require.NotEmpty(t, last.Address)
		switched := w.trail(audit.SessionSwitched)
		require.NotEmpty(t, switched, "a tenant was chosen")
		require.NotEmpty(t, switched[len(switched)-1].TenantID)

		_, page := b.flow(prompt(oauth.PromptSelectAccount))
		b.Get(page).Submit("ada@acme.test", nil)
		picked := w.trail(audit.SessionPicked)
		require.Len(t, picked, 1)
		require.Equal(t, ada.ID, picked[0].SessionID)
	})
}

// A session that another one replaces is told of with its person: here sessions that were
// idle for too long, beside a session that goes on and beside a new one.
func TestTheTrailNamesWhoseSessionWasReplaced(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, bob := w.both()
		idle := testConfig(t).Sessions.Idle + time.Minute
		w.clock.Advance(idle)
		require.Equal(t, "Your account", b.signIn(accountURL, "ada@acme.test").H1())
		require.Equal(t, ada.ID, b.session().ID)

		w.clock.Advance(idle)
		require.Equal(t, "Choose an organisation", b.signIn(accountURL, "bob@acme.test").H1())
		successors := map[string]string{bob.ID: ada.ID, ada.ID: b.session().ID}
		people := map[string]string{bob.ID: "usr_bob", ada.ID: "usr_ada"}
		replaced := w.trail(audit.SessionReplaced)
		require.Len(t, replaced, 2)
		for _, e := range replaced {
			require.Equal(t, people[e.SessionID], e.UserID)
			require.Equal(t, successors[e.SessionID], e.Detail["successor"])
			require.Equal(t, "tnt_acme", e.TenantID)
			require.Equal(t, "192.0.2.1", e.Address)
		}
	})
}

// The trail of a failure says neither whom it was about nor whether there is such an
// account, and yet counts the failures of one address together.
func TestAFailureNamesThePseudonymOfWhatWasTyped(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for _, email := range []string{"ada@acme.test", "nobody@acme.test", "ADA@acme.test"} {
			b := w.newBrowser()
			_, page := b.flow(nil)
			p := b.Get(page).Submit("Continue", url.Values{"email": {email}})
			p.Submit("Sign in", url.Values{"password": {"wrong"}})
			w.clock.Advance(time.Second) // so that the trail has an order
		}

		failed := w.trail(audit.SignInFailed)
		require.Len(t, failed, 3)
		key := testConfig(t).Encryption.Derive(audit.PseudonymLabel)
		var accounts []string
		for _, f := range failed { // in no order, for the clock stood still
			accounts = append(accounts, f.Account)
			require.Empty(t, f.UserID, "of an account that exists, too")
			require.Empty(t, f.Detail)
		}

		ada := audit.Pseudonym(key, "ada@acme.test")
		require.ElementsMatch(t, []string{ada, ada, audit.Pseudonym(key, "nobody@acme.test")}, accounts)
	})
}
