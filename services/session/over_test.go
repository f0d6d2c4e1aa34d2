package session

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// A person whose flow cannot go on reads what happened, and is offered a way on:
// that of the application where it has registered one, and never an address that
// came with the request.
func TestAFlowThatIsOverHasAWayOn(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, other := w.newBrowser(), w.newBrowser()
		id, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")

		// What authorize does not take any more comes back with a word of it.
		p := b.Get(page + "?problem=over")
		require.Equal(t, http.StatusGone, p.Status, "the two must not send a browser to and fro")
		require.Equal(t, "This sign-in cannot be completed", p.H1())
		require.Equal(t, http.StatusSeeOther, b.Get(page).Status, "without it the flow goes on")

		p = other.Get(page)
		require.Equal(t, http.StatusForbidden, p.Status)
		require.NotContains(t, p.Body, "rp.test", "the page doesn't link to the redirect URI of a request")

		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			require.NoError(t, o.SaveApplication(ctx, &directory.Application{
				ClientID:         "billing",
				Name:             "Billing",
				Type:             directory.Web,
				ScopeLevel:       directory.Global,
				FirstParty:       true,
				InitiateLoginURI: "https://begin.test/login",
			}, started))
		})

		w.clock.Advance(10 * time.Second) // past the registry's cache
		begin := `href="https://begin.test/login?` +
			strings.ReplaceAll(url.Values{"iss": {issuer}}.Encode(), "&", "&amp;") + `"`
		require.Contains(t, other.Get(page).Body, begin)

		require.NoError(t, w.requests.Consume(t.Context(), id, w.clock.Now()))
		require.Contains(t, b.Get(page).Body, begin, "also when it is finished")
	})
}
