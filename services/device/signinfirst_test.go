package device_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// signInLink is what the page that asks to sign in first leads on with.
var signInLink = regexp.MustCompile(`<a href="/auth/flows/(fls_[\w-]+)">Sign in</a>`)

// signInFirst demands 401 with login_required, which a sign-in ends.
func (r *reply) signInFirst() {
	r.t.Helper()
	require.Equal(r.t, "login_required", r.json(http.StatusUnauthorized)["error"])
}

// RFC 8628 5.1, 3.3: what others at an address guessed is no reason to turn away a person with the right code. The
// person signs in, comes back to the code and decides.
func TestWrongCodesOfAnAddressMakeItsPeopleSignInFirst(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		w.guess(10, here, "")
		w.look(code, here, "").signInFirst()
		w.look("BBBB-BBBB", here, "").signInFirst()
		w.look(code, there, "").json(http.StatusOK)
		w.do(visit{
			method: http.MethodPost,
			path:   verifyPath,
			form:   url.Values{"user_code": {code}},
			from:   here,
		}).signInFirst()

		page := w.do(visit{
			path:  pagePath,
			page:  true,
			query: url.Values{"user_code": {code}},
			from:  here,
		})
		require.Equal(t, http.StatusForbidden, page.StatusCode)
		require.Empty(t, page.Header.Get("Retry-After"))
		link := signInLink.FindStringSubmatch(page.body)
		require.NotNil(t, link, page.body)

		sid, session := w.signIn()
		w.decide(link[1], sid)
		back := w.do(visit{
			path:    pagePath,
			page:    true,
			query:   url.Values{"flow": {link[1]}},
			from:    here,
			session: session,
			browser: page.Cookies()[0].Value,
		})
		require.Equal(t, "/device?user_code="+code, back.Header.Get("Location"))
		w.look(code, here, session).json(http.StatusOK)

		w.clock.Advance(time.Second)
		w.look(code, here, "").json(http.StatusOK)
	})
}

// RFC 8628 3.3: a person who is asked to sign in first comes back to their code, in the browser in which they were asked.
// What is typed while it isn't looked up costs no row, and names no application.
func TestWhoSignsInFirstComesBackToTheCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.clock.Advance(time.Minute)
		code := w.device()
		w.guess(1, here, "")
		w.exec(`UPDATE limits SET failures = 12800000`)
		w.guess(1, there, "")

		for name, v := range map[string]visit{
			"looked": {path: pagePath, query: url.Values{"user_code": {strings.ToLower(code)}}},
			"sent": {
				method: http.MethodPost,
				path:   verifyPath,
				form:   url.Values{"user_code": {code}, "action": {"approve"}},
			},
		} {
			t.Run(name, func(t *testing.T) {
				rows := w.count(`SELECT count(*) FROM authorization_requests`)
				v.page, v.from = true, "203.0.113.1"
				page := w.do(v)
				require.Equal(t, http.StatusForbidden, page.StatusCode)
				link := signInLink.FindStringSubmatch(page.body)
				require.NotNil(t, link, page.body)
				require.NotContains(t, link[1], code)
				require.Equal(t, rows, w.count(`SELECT count(*) FROM authorization_requests`))

				request := w.request(link[1])
				require.Equal(t, grants.KindDevice, request.Kind)
				require.Equal(t, code, request.Device.UserCode)
				require.Empty(t, request.ClientID)

				sid, session := w.signIn()
				w.decide(link[1], sid)
				back := visit{
					path:    pagePath,
					page:    true,
					query:   url.Values{"flow": {link[1]}},
					session: session,
					browser: page.Cookies()[0].Value,
				}
				require.Equal(t, "/device?user_code="+code, w.do(back).Header.Get("Location"))

				back.browser = ""
				require.Equal(t, http.StatusBadRequest, w.do(back).StatusCode)
			})
		}
	})
}
