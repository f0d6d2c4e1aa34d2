package authorize_test

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 6819 4.3.1 and RFC 6585 4: what needs no credentials must not fill the store.
func TestAnAddressStoresSoManyRequestsThatFitInNoAddress(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.clock.Advance(5 * time.Minute)
		const flood = "198.51.100.7:4000"
		w.signIn(ada, nil)

		for i := range mostFlows {
			v := visit{params: long(nil), from: flood}
			if i%2 == 1 {
				v.method = http.MethodPost
			}
			require.Equal(t, http.StatusSeeOther, w.do(v).StatusCode)
		}

		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for _, asJSON := range []bool{false, true} {
				r := w.do(visit{
					method: method,
					params: long(nil),
					from:   flood,
					json:   asJSON,
				})

				r.refusedHere(http.StatusTooManyRequests)
				require.Equal(t, strconv.Itoa(10*60), r.Header.Get("Retry-After"), "until the window ends")
				require.Empty(t, r.browserCookie())
			}
		}

		require.Equal(t, mostFlows, w.count(`SELECT count(*) FROM authorization_requests`))

		_, session := w.signIn(ada, nil)
		first := params("first", callback, nil)
		w.do(visit{params: first, session: session, from: flood}).toApplication(callback)
		require.Equal(t, mostFlows, w.count(`SELECT count(*) FROM authorization_requests`),
			"what a session answers at once stores nothing")
		w.do(visit{params: long(nil), from: "198.51.100.8:4000"}).toPages()
		w.do(visit{params: webParams(nil), from: flood}).toPages()
		w.clock.Advance(10 * time.Minute)
		w.do(visit{params: long(nil), from: flood}).toPages()
	})
}

// RFC 6819 4.3.1: who is behind the same address must not pay for one browser.
func TestABrowserUsesUpItsOwnShareAndNotItsAddresss(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		browser := secret(t)
		const share = 20
		for range share {
			w.do(visit{params: long(nil), browser: browser}).toPages()
		}

		for range 3 * mostFlows {
			w.do(visit{params: long(nil), browser: browser}).refusedHere(http.StatusTooManyRequests)
		}

		for range mostFlows - share {
			w.do(visit{params: long(nil), browser: secret(t)}).toPages()
		}

		w.do(visit{params: long(nil), browser: secret(t)}).refusedHere(http.StatusTooManyRequests)
	})
}

// RFC 6749 4.1.2.1: the resource owner is told of the error, and the operator finds it.
func TestTheTrailFindsTheReferenceOfAnErrorPage(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	page := w.do(visit{params: params("unknown", callback, nil), from: "198.51.100.7:4000"})
	page.refusedHere(http.StatusBadRequest)
	reference := regexp.MustCompile(`<code>([0-9a-f]{32})</code>`).FindStringSubmatch(page.body)
	require.NotNil(t, reference, page.body)
	found, err := auditstore.Read(t.Context(), w.db, audit.Filter{Reference: reference[1]})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, audit.RequestRefused, found[0].Kind)
	require.Equal(t, "198.51.100.7", found[0].Address)
	require.Equal(t, map[string]string{"status": "400", "error": "invalid_request"}, found[0].Detail)
}
