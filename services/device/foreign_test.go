package device_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const spaOrigin = "https://spa.test"

// ask requests codes for the application tv, as a program or as a browser with these headers.
func (w *world) ask(headers http.Header) *reply {
	w.t.Helper()
	return w.do(visit{
		method:  http.MethodPost,
		path:    authorizePath,
		from:    here,
		foreign: true,
		headers: headers,
		form:    url.Values{"client_id": {"tv"}},
	})
}

// registerSPA registers an application whose pages are at spaOrigin.
func (w *world) registerSPA() {
	w.t.Helper()
	ctx, now := w.t.Context(), w.clock.Now()
	require.NoError(w.t, directorystore.NewOperator(w.db).Tx(ctx, func(op *directorystore.Writer) error {
		return op.SaveApplication(ctx, &directory.Application{
			ClientID:    "spa",
			Name:        "The spa",
			Type:        directory.SPA,
			ScopeLevel:  directory.Global,
			Active:      true,
			CORSOrigins: []string{spaOrigin},
		}, now)
	}))
}

// RFC 6819 4.3.1, Fetch Metadata Request Headers: what a page of any site makes its visitors' browsers send costs no row
// and no count, so it takes nothing from the others at their address.
func TestAPageOfAnotherSiteRequestsNoCodes(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.registerSPA()
		before := testkit.Rows(t, db)

		for name, headers := range map[string]http.Header{
			"another site":        {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}},
			"a neighbouring site": {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://evil.id.test"}},
			"a hidden origin":     {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}},
			"no origin":           {"Sec-Fetch-Site": {"cross-site"}},
			"two origins":         {"Sec-Fetch-Site": {"cross-site"}, "Origin": {spaOrigin, "https://evil.test"}},
			"two kinds of site":   {"Sec-Fetch-Site": {"none", "cross-site"}, "Origin": {"https://evil.test"}},
		} {
			headers["Sec-Fetch-Mode"] = []string{"no-cors"}
			headers["Accept"] = []string{"text/html"}
			for range 20 { // together more than an address may request
				require.Equal(t, "invalid_request", w.ask(headers).json(http.StatusForbidden)["error"], name)
			}
		}

		require.Equal(t, before, testkit.Rows(t, db))
	})
}

func TestProgramsAndTheApplicationsPagesRequestCodes(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.registerSPA()

		for name, headers := range map[string]http.Header{
			"a program":                {},
			"a program with an Origin": {"Origin": {"https://evil.test"}},
			"an extension":             {"Sec-Fetch-Site": {"none"}},
			"our own page":             {"Sec-Fetch-Site": {"same-origin"}, "Origin": {origin}},
			"an application's page":    {"Sec-Fetch-Site": {"cross-site"}, "Origin": {spaOrigin}},
			"one that is a neighbour":  {"Sec-Fetch-Site": {"same-site"}, "Origin": {spaOrigin}},
		} {
			require.Equal(t, http.StatusOK, w.ask(headers).StatusCode, name)
		}
	})
}

// RFC 6819 4.3.1: an address that has requested all its codes still signs people in.
func TestRequestsForCodesHoldUpNoSignIn(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for range 60 {
			w.ask(nil).json(http.StatusOK)
		}
		w.ask(nil).json(http.StatusTooManyRequests)

		encryption := config.Encryption{Keys: []config.EncryptionKey{{1}}}
		signIns := &limits.Starts{ // those of the other services
			Counter: limitstore.New(db),
			Secret:  encryption.Derive("limits"),
			Most:    60,
			Window:  15 * time.Minute,
		}
		for range 60 {
			require.NoError(t, signIns.StartIn(t.Context(), w.clock.Now(), nil, netip.MustParseAddr(here)))
		}
		require.Error(t, signIns.StartIn(t.Context(), w.clock.Now(), nil, netip.MustParseAddr(here)))
	})
}
