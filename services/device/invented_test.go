package device_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 6819 4.3.1: an unregistered client_id writes no row in any table.
func TestAnInventedClientIDWritesNoRow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		before := testkit.Rows(t, db)

		for i := range 40 {
			for _, secret := range []string{"", "guessed"} {
				sent := url.Values{"client_id": {fmt.Sprintf("invented-%d", i%20)}, "client_secret": {secret}}
				res := w.do(visit{method: http.MethodPost, path: authorizePath, form: sent})
				require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			}
		}

		require.Equal(t, before, testkit.Rows(t, db))
	})
}

// RFC 8628 5.1, Fetch Metadata Request Headers: images of the page that a stranger
// embeds are not their visitors' guesses.
func TestWhatIsNoNavigationIsNoGuess(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device()
		before := testkit.Rows(t, db)
		headers := http.Header{
			"Sec-Fetch-Mode": {"no-cors"},
			"Sec-Fetch-Dest": {"image"},
			"Sec-Fetch-Site": {"cross-site"},
		}
		for range 50 {
			for _, path := range []string{pagePath, verifyPath} {
				for _, typed := range []string{"BBBB-BBBB", code} {
					res := w.do(visit{
						path:    path,
						page:    true,
						from:    here,
						headers: headers,
						query:   url.Values{"user_code": {typed}},
					})

					require.Equal(t, http.StatusForbidden, res.StatusCode)
					require.Empty(t, res.Cookies())
				}
			}
		}

		require.Equal(t, before, testkit.Rows(t, db))
	})
}
