package session

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 6819 4.3.1: a page that embeds 1,001 images of /account costs its visitors'
// network nothing.
func TestAThousandImagesOfAPageBlockNothing(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		before := testkit.Rows(t, w.db)
		paths := []string{
			"/account", "/account/password", "/auth/tenants/acme", "/auth/flows/flw_x", "/api/v1/platform/oauth/logout",
		}
		for i := range 1001 {
			for _, path := range paths {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+path, http.NoBody)
				require.NoError(t, err)
				r.Header.Set("Accept", "text/html")
				r.Header.Set("Sec-Fetch-Mode", "no-cors")
				r.Header.Set("Sec-Fetch-Dest", []string{"image", "script", "iframe", "empty"}[i%4])
				r.Header.Set("Sec-Fetch-Site", "cross-site")
				res, err := w.from("192.0.2.1", r)
				require.NoError(t, err)
				require.Equal(t, http.StatusForbidden, res.StatusCode)
				require.Empty(t, res.Cookies())
			}
		}

		require.Equal(t, before, testkit.Rows(t, w.db))
		_, page := w.atHome("ada@acme.test") // from the same address
		require.Equal(t, "Your account", page.H1())
	})
}

// RFC 9700 4.7: a sealed flow is worth what the application's own link is, until a person acts on it.
func TestASealedFlowIsForTheBrowserInWhichAPersonFirstActs(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		page := b.Get(accountURL)
		sealed := page.URL.String()
		token := page.Hidden("csrf_token")

		// Another browser may open the link, as it may that to the application, but the
		// form of this one is worth nothing there.
		other := w.newBrowser()
		require.Equal(t, http.StatusOK, other.Get(sealed).Status)
		other.Post(sealed+"/email", url.Values{"csrf_token": {token}, "email": {"eve@acme.test"}})
		require.Zero(t, w.flows())

		b.Post(sealed+"/email", url.Values{"csrf_token": {token}, "email": {"ada@acme.test"}})
		require.Equal(t, 1, w.flows())
		require.Equal(t, http.StatusForbidden, other.Get(sealed).Status)

		unused := b.Get(accountURL)
		token = unused.Hidden("csrf_token")
		w.clock.Advance(30 * time.Minute)
		expired := b.Post(unused.URL.String()+"/email", url.Values{"csrf_token": {token}, "email": {"ada@acme.test"}})
		require.Equal(t, http.StatusGone, expired.Status)
		require.Equal(t, 1, w.flows())
	})
}

// OpenID Connect Core 3.1.2.1: prompt and max_age ask a person who signed in between the sealing of an address and its
// opening, since that sign-in was not for this flow. It goes on once they have answered there.
func TestAnOldSealedAddressAsksAPersonWhoSignedInSince(t *testing.T) {
	zero := 0
	for name, c := range map[string]struct {
		change func(r *grants.Flow)
		asks   string
	}{
		"prompt=login":          {prompt(oauth.PromptLogin), "Sign in"},
		"max_age=0":             {func(r *grants.Flow) { r.MaxAge = &zero }, "Sign in"},
		"prompt=select_account": {prompt(oauth.PromptSelectAccount), "Choose an account"},
	} {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T, w *world) {
				id, old := w.newBrowser().sealed(c.change)
				w.clock.Advance(time.Minute)
				ada, _ := w.atHome("ada@acme.test")
				w.clock.Advance(time.Minute)

				p := ada.Get(old)
				require.Equal(t, c.asks, p.H1())

				if c.asks == "Sign in" {
					w.returns(ada.signIn(old, "ada@acme.test"), id)
				} else {
					w.returns(p.Submit("ada@acme.test", nil), id)
				}

				require.Equal(t, ada.session().ID, w.request(id).SessionID)
				w.returns(ada.Get(old), id)
			})
		})
	}
}

// A sign-in in another tab changes the browser's cookie. The addresses of the other tabs ask no more than their
// applications do.
func TestASealedAddressOfAnotherTabAsksOnlyWhatItsApplicationAsks(t *testing.T) {
	minute := 60
	for name, change := range map[string]func(r *grants.Flow){
		"nothing":    nil,
		"max_age=60": func(r *grants.Flow) { r.MaxAge = &minute },
		"login_hint": func(r *grants.Flow) { r.LoginHint = "ada@acme.test" },
	} {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T, w *world) {
				b := w.newBrowser()
				id, other := b.sealed(change)
				b.Get(other)
				_, page := b.sealed(nil)
				w.clock.Advance(time.Minute)
				b.signIn(page, "ada@acme.test")
				w.clock.Advance(time.Second)

				w.returns(b.Get(other), id)
			})
		})
	}

	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, other := b.sealed(prompt(oauth.PromptLogin))
		p := b.Get(other).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		require.True(t, p.Has("password"), "a person has acted on this one, so it is stored and moves along")
		_, page := b.sealed(nil)
		w.clock.Advance(time.Minute)
		b.signIn(page, "ada@acme.test")
		w.clock.Advance(time.Second)

		w.returns(b.Get(other), id)
	})
}

// RFC 6749 4.1.2: a form that is sent twice, to any replica, is one flow.
func TestASealedFlowBecomesOneRowHoweverOftenItsFormIsSent(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		page := b.Get(accountURL)
		sealed, token := page.URL.String(), page.Hidden("csrf_token")
		cookies := b.Cookies(origin)
		var wg sync.WaitGroup
		locations := make([]string, 15)
		for i := range locations {
			wg.Go(func() {
				body := url.Values{"csrf_token": {token}, "email": {"ada@acme.test"}}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sealed+"/email",
					strings.NewReader(body.Encode()))
				if err != nil {
					return
				}

				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")

				for _, c := range cookies {
					r.AddCookie(c)
				}

				if res, err := w.from("192.0.2.1", r); err == nil {
					locations[i] = res.Header.Get("Location")
				}
			})
		}

		wg.Wait()
		require.Equal(t, 1, w.flows())

		for _, location := range locations {
			require.Regexp(t, `^/auth/flows/flw_[a-z2-7]+$`, location)
			require.Equal(t, locations[0], location)
		}

		require.Equal(t, "Sign in to Acme Corp", b.Get(sealed).H1(), "the old address shows where the flow is")
	})
}

// OpenID Connect Core 3.1.2.1: a hint at a person who is signed in here, while another
// is the current one.
func TestAHintOffersTheAccountThatItNames(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, ada, bob := w.both()
		id, page := b.flow(func(r *grants.Flow) { r.LoginHint = "ADA@acme.test" })
		p := b.Get(page)
		require.Equal(t, "Choose an account", p.H1())
		require.Less(t, strings.Index(p.Text(), "ada@acme.test"), strings.Index(p.Text(), "bob@acme.test"),
			"who is named comes first")
		require.Equal(t, grants.Undecided, w.request(id).Decision, "the current one does not answer silently")
		w.returns(p.Submit("ada@acme.test", nil), id)
		require.Equal(t, ada.ID, b.session().ID)
		require.Equal(t, ada.ID, w.request(id).SessionID)

		id, page = b.flow(func(r *grants.Flow) { r.LoginHint = "ada@acme.test" })
		w.returns(b.Get(page), id)

		// Whoever is not named may be chosen all the same.
		id, page = b.flow(func(r *grants.Flow) { r.LoginHint = "bob@acme.test" })
		before := w.hasher.Work()
		w.returns(b.Get(page).Submit("ada@acme.test", nil), id)
		require.Equal(t, ada.ID, w.request(id).SessionID)
		require.Equal(t, before, w.hasher.Work())

		// For an id_token_hint, no other person will do.
		id, page = b.flow(func(r *grants.Flow) { r.HintSubject = "usr_bob" })
		p = b.Get(page)
		require.Equal(t, "Choose an account", p.H1())
		require.NotContains(t, p.Text(), "ada@acme.test")
		w.returns(p.Submit("bob@acme.test", nil), id)
		require.Equal(t, bob.ID, w.request(id).SessionID)
	})
}

// OpenID Connect Core 3.1.2.1: a hint at a person who is not signed in here asks for
// their password, and never goes on as another.
func TestAHintAtAStrangerAsksForTheirPassword(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		w.clock.Advance(time.Minute)
		id, page := b.flow(func(r *grants.Flow) { r.LoginHint = "bob@acme.test" })
		p := b.Get(page)
		require.True(t, p.Has("password"))
		require.Equal(t, "bob@acme.test", p.Hidden("username"))
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}).Submit("Acme", nil), id)
		require.Equal(t, "usr_bob", b.session().UserID)
	})
}
