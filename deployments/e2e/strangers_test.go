package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// images is a page that embeds 1,001 images of the account page, and a frame and a
// fetch of each other entrance. It says how many of the images have failed.
const images = `<!DOCTYPE html><title>cats</title><p id="done"></p><script>
const at = %q; let open = 1001;
const settled = () => { if (--open === 0) document.getElementById("done").textContent = "settled"; };
for (let i = 0; i < 1001; i++) {
  const image = new Image(); image.onload = image.onerror = settled; image.src = at + "/account?" + i;
}
for (const path of ["/account", "/auth/tenants/acme", "/device?user_code=BBBB-BBBB", "%[2]s"]) {
  const frame = document.createElement("iframe"); frame.src = at + path; document.body.append(frame);
  fetch(at + path, {mode: "no-cors", credentials: "include"});
}
</script>`

// TestAPageOfImagesBlocksNoneOfItsVisitors has a real browser send what it sends for a
// page of another site, and then sign in from the same address.
func TestAPageOfImagesBlocksNoneOfItsVisitors(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "web", webCallback, "openid", "email")
		begin, err := url.Parse(rp.begin(newAttempt()))
		require.NoError(t, err)
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, images, s.Origin, begin.RequestURI())
		}))
		t.Cleanup(site.Close)
		foreign, err := url.Parse(site.URL)
		require.NoError(t, err)

		db := s.database(t)
		tables := []string{"authorization_requests", "limits", "audit_events", "sessions"}
		before := testkit.Rows(t, db)
		b := newTab(t)
		b.open("http://localhost:" + foreign.Port()) // another site than 127.0.0.1
		b.do(chromedp.Poll[chromedp.Void](`document.getElementById("done").textContent === "settled"`))
		after := testkit.Rows(t, db)
		for _, table := range tables {
			require.Equal(t, before[table], after[table], table)
		}

		b.open(s.Origin + "/account")
		b.see(emailField)
		require.Equal(t, before["authorization_requests"],
			testkit.Rows(t, db)["authorization_requests"], "a look stores nothing")
		b.fill(emailField, "ada@acme.test\r")
		b.see(passwordField)
		b.fill(passwordField, password+"\r")
		b.see(`form[action="/account/sessions"], a[href="/account/password"]`)
	})
}

// TestEveryPageIsForABrowsersTab asks every operation that answers pages for an image
// and a frame of it.
func TestEveryPageIsForABrowsersTab(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for _, route := range api.Routes {
			for _, dest := range []string{"image", "iframe"} {
				r, err := http.NewRequestWithContext(t.Context(), route.Method, s.Origin+route.Path, http.NoBody)
				require.NoError(t, err)
				r.Header.Set("Sec-Fetch-Dest", dest)
				res, err := http.DefaultTransport.RoundTrip(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())

				if route.Pages {
					require.Equal(t, http.StatusForbidden, res.StatusCode, "%s %s", route.Method, route.Path)
					require.Empty(t, res.Cookies())
				} else {
					require.NotEqual(t, http.StatusForbidden, res.StatusCode, "%s %s", route.Method, route.Path)
				}
			}
		}
	})
}
