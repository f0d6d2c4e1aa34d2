package token_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 6819 4.3.1: strangers invent as many names as they like, so a name that nobody
// registered writes no row in any table.
func TestAnInventedClientIDWritesNoRow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		before := testkit.Rows(t, db)

		for i := range 40 { // twice what an application may fail
			id := fmt.Sprintf("invented-%d", i%20)
			for path, body := range map[string]string{
				tokenPath:                           "grant_type=client_credentials",
				"/api/v1/platform/oauth/introspect": "token=x",
				"/api/v1/platform/oauth/revoke":     "token=x",
			} {
				for _, header := range []http.Header{basic(id, "secret"), nil} {
					sent := body
					if header == nil {
						sent += "&client_id=" + id + "&client_secret=secret"
					}

					r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(sent))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")

					for name, values := range header {
						r.Header[name] = values
					}

					requireError(t, w.do(t, r), http.StatusUnauthorized, oauth.InvalidClient)
				}
			}
		}

		require.Equal(t, before, testkit.Rows(t, db))
	})
}
