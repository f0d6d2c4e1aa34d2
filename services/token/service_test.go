package token_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

func TestNewRefusesWhatIsMissing(t *testing.T) {
	public, err := url.Parse("https://id.test")
	require.NoError(t, err)
	cfg := token.Config{Server: config.Server{PublicURL: public}}
	_, err = token.New(cfg, token.Deps{})
	require.ErrorContains(t, err, "DB, Logger, Now, Random")
	_, err = token.New(cfg, token.Deps{
		DB:     testkit.SQLite(t),
		Logger: slog.New(slog.DiscardHandler),
		Now:    time.Now,
		Random: rand.Reader,
	})

	require.ErrorContains(t, err, "Signing")
}

func TestTheBackgroundTasksLoadTheKeysAndRemoveWhatHasExpired(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		require.Error(t, w.service.Ready(t.Context()), "no keys are loaded yet")
		p := w.person(t)
		// A device's grant is kept for no session: it goes with its last token.
		access := w.post(t, poll(w.device(t, p, "approved", nil))).str("access_token")
		w.clock.Advance(time.Hour - time.Second)
		younger := w.post(t, poll(w.device(t, p, "approved", nil))).str("access_token")
		require.Equal(t, http.StatusOK, w.userinfo(t, access).status)
		w.clock.Advance(time.Second)

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.service.Run(ctx) }()
		require.Eventually(t, func() bool {
			var n int
			err := db.Get(ctx, "test", &n, `SELECT COUNT(*) FROM grants`)
			return err == nil && n == 1
		}, 10*time.Second, 10*time.Millisecond)

		require.Eventually(t, func() bool { return w.service.Ready(ctx) == nil }, 10*time.Second, 10*time.Millisecond)
		require.Equal(t, http.StatusOK, w.userinfo(t, younger).status)
		cancel()
		require.NoError(t, <-done)
	})
}

// What the service does needs no more than its own role's rights.
func TestTheServicesOwnRoleSuffices(t *testing.T) {
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	w := newWorld(t, testkit.OpenPostgres(t, owner))
	p := w.person(t)
	code, approved, waiting := w.code(t, p, nil), w.device(t, p, "approved", nil), w.device(t, p, "", nil)
	w.service = w.start(t, testkit.OpenPostgres(t, server.LoginURL(t, owner, "platform_token")))

	first := w.post(t, redeem(code))
	require.Equal(t, http.StatusOK, first.status, first.raw)
	require.Equal(t, http.StatusOK, w.userinfo(t, first.str("access_token")).status)
	requireError(t, w.post(t, redeem(code)), 400, oauth.InvalidGrant)
	requireError(t, w.userinfo(t, first.str("access_token")), 401, oauth.InvalidToken)
	require.Equal(t, http.StatusOK, w.post(t, poll(approved)).status)
	requireError(t, w.post(t, poll(waiting)), 400, oauth.AuthorizationPending)
	requireError(t, w.post(t, poll(waiting)), 400, oauth.SlowDown)
	require.Equal(t, http.StatusOK, w.post(t, credentials.with(client("service"))).status)

	w.clock.Advance(31 * 24 * time.Hour) // the session is over too
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.service.Run(ctx) }()
	require.Eventually(t, func() bool {
		var n int
		err := w.db.Get(ctx, "test", &n, `SELECT COUNT(*) FROM grants`)
		return err == nil && n == 0
	}, 10*time.Second, 10*time.Millisecond)

	require.Eventually(t, func() bool { return w.service.Ready(ctx) == nil }, 10*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

// RFC 6749 5.2, RFC 6750 3.1, RFC 7662 2.3: the callers are programs, and what their
// HTTP library puts into Accept is not what they can read.
func TestNoAnswerIsEverHTML(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	access := w.redeemed(t, w.person(t), nil).str("access_token")

	requests := map[string]*http.Request{
		"userinfo without a token": infoRequest("", "", ""),
		"userinfo":                 infoRequest("", "", "Bearer "+access),
		"a bad token":              infoRequest("", "", "Bearer x"),
		"a bad client":             tokenRequest("grant_type=client_credentials&client_id=nobody", nil),
		"no grant type":            tokenRequest("", nil),
		"a wrong method":           httptest.NewRequest(http.MethodGet, tokenPath, nil),
		"an unknown path":          httptest.NewRequest(http.MethodGet, tokenPath+"s", nil),
		"revocation":               httptest.NewRequest(http.MethodPost, revokePath, nil),
		"introspection":            httptest.NewRequest(http.MethodPost, introspectPath, nil),
	}
	for name, r := range requests {
		for _, accept := range []string{
			"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", // java.net.HttpURLConnection
			"text/html,application/xhtml+xml,*/*;q=0.8",
		} {
			r.Header.Set("Accept", accept)
			got := w.serve(r)
			require.Equal(t, "application/json", got.header.Get("Content-Type"), "%s: %d %s", name, got.status, got.raw)
		}
	}
}

// RFC 6749 10.3, 10.4, 10.5: codes and tokens are confidential in transit and storage, and a log is both.
func TestNothingSecretIsLogged(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	p := w.person(t)
	code, device := w.code(t, p, nil), w.device(t, p, "approved", nil)
	first := w.post(t, redeem(code))
	access := first.str("access_token")
	w.userinfo(t, access)
	w.post(t, poll(device))
	w.post(t, redeem(code))
	w.post(t, redeem(code).with(form{"client_secret": "mistyped-secret"}))
	w.postRaw(t, redeem(code).encode(), basic("web", "mistyped-secret"))
	w.userinfo(t, access)
	w.keeper.away.Store(true)
	w.post(t, poll(device))
	logs := w.logs.String()
	require.Contains(t, logs, "an authorization code was used twice")

	for name, secret := range map[string]string{
		"the code":            code,
		"the device code":     device,
		"the verifier":        verifier,
		"the client's secret": secretWord,
		"a mistyped secret":   "mistyped-secret",
		"the access token":    access,
		"the ID token":        first.str("id_token"),
		"the address":         p.user.Email,
		"the name":            "Lovelace",
	} {
		require.NotContains(t, logs, secret, name)
	}
}
