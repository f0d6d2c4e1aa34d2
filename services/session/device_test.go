package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// RFC 8628 3.3: its own page asks. A stored kind decides where the browser returns to.
func TestADeviceReturnsToItsOwnPageWithoutConsent(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(func(r *grants.AuthorizationRequest) {
			r.Kind, r.ClientID, r.RedirectURI = grants.KindDevice, "other", ""
		})
		p := b.signIn(page, "ada@acme.test")
		require.Equal(t, origin+"/device?flow="+id, p.Location().String())
	})
}

// RFC 8628 5.1: while codes are looked up for people who are signed in only, it isn't known which application the device
// is. The flow has none, and leads back all the same.
func TestADeviceWhoseCodeIsNotLookedUpYetReturnsToItsOwnPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		device := func(r *grants.AuthorizationRequest) {
			r.Kind, r.ClientID, r.RedirectURI, r.Scope = grants.KindDevice, "", "", nil
			r.UserCode = "BCDF-GHJK"
		}

		b := w.newBrowser()
		id, page := b.flow(device)
		require.Contains(t, b.Get(page).Text(), "to continue to your device")
		p := b.signIn(page, "ada@acme.test")
		require.Equal(t, origin+"/device?flow="+id, p.Location().String())
		require.Equal(t, b.session().ID, w.request(id).SessionID)

		id, page = b.flow(device)
		require.Equal(t, origin+"/device?flow="+id, b.Get(page).Location().String(), "who is signed in isn't asked")

		other := w.newBrowser()
		id, page = other.flow(device)
		p = other.signIn(page, "bob@acme.test").Submit("Northwind", nil)
		require.Equal(t, origin+"/device?flow="+id, p.Location().String(), "nor is a choice of tenants in the way")
	})
}
