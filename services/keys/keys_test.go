package keys_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/keys"
)

const (
	jwksPath      = "/api/v1/platform/.well-known/jwks.json"
	discoveryPath = "/api/v1/platform/oauth/.well-known/openid-configuration"
	rfc8414Path   = "/.well-known/oauth-authorization-server/api/v1/platform/oauth"
)

var everyPath = []string{jwksPath, discoveryPath, rfc8414Path}

func configured(t *testing.T) keys.Config {
	t.Helper()
	origin, err := url.Parse("https://id.example")
	require.NoError(t, err)
	return keys.Config{
		Server: config.Server{PublicURL: origin},
		Signing: config.Signing{
			AccessTokenAlg:  signing.ES256,
			IDTokenAlg:      signing.RS256,
			KeyRotation:     2160 * time.Hour,
			KeyPublishAhead: 24 * time.Hour,
		},
		Tokens:   config.Tokens{AccessTokenTTL: time.Hour},
		Sessions: config.Sessions{Lifetime: 720 * time.Hour},
	}
}

func deps(t *testing.T, db *database.DB) keys.Deps {
	t.Helper()
	maker, err := localkeys.Open(filepath.Join(t.TempDir(), "keys"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, maker.Close()) })

	return keys.Deps{
		DB:       db,
		Signing:  maker,
		KeyMaker: maker,
		Logger:   testkit.Logger(t),
		Now:      servicekit.Clock,
		Random:   rand.Reader,
	}
}

// started is a service whose keys are there. Its task ends with the test, or
// with stop.
func started(t *testing.T, db *database.DB) (service *servicekit.Service, stop func()) {
	t.Helper()
	return startedWith(t, deps(t, db))
}

func startedWith(t *testing.T, deps keys.Deps) (service *servicekit.Service, stop func()) {
	t.Helper()
	service, err := keys.New(configured(t), deps)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}

	t.Cleanup(stop)
	require.Eventually(t, func() bool { return service.Ready(t.Context()) == nil }, testkit.Patience, 5*time.Millisecond)

	return service, stop
}

func get(t *testing.T, h http.Handler, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for name, values := range header {
		r.Header[name] = values
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTheSetVerifiesWhatTheKeysSign(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		service, _ := started(t, db)
		w := get(t, service.Handler, http.MethodGet, jwksPath, nil)
		require.Equal(t, http.StatusOK, w.Code)
		var set jose.JSONWebKeySet
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
		algorithms := make([]string, 0, len(set.Keys))
		for _, key := range set.Keys {
			require.True(t, key.IsPublic())
			require.Equal(t, signing.Thumbprint(key.Key), key.KeyID)
			algorithms = append(algorithms, key.Algorithm)
		}

		require.ElementsMatch(t, []string{"ES256", "RS256", "RS256"}, algorithms, "and one for logout tokens")
	})
}

func TestTheMetadataPointsToRoutesThatExist(t *testing.T) {
	service, _ := started(t, testkit.SQLite(t))
	var metadata map[string]any
	w := get(t, service.Handler, http.MethodGet, discoveryPath, nil)
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &metadata))
	require.Equal(t, "https://id.example/api/v1/platform/oauth", metadata["issuer"])
	require.Equal(t, []any{"RS256", "ES256"}, metadata["id_token_signing_alg_values_supported"])
	routes := map[string]bool{}
	for _, route := range api.Routes {
		routes["https://id.example"+route.Path] = true
	}

	for _, name := range []string{
		"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint",
		"device_authorization_endpoint",
	} {
		require.Contains(t, routes, metadata[name], name)
	}

	require.Equal(t, w.Body.String(), get(t, service.Handler, http.MethodGet, rfc8414Path, nil).Body.String())
}

func TestDocumentsAreCachedAndReadFromAnyPage(t *testing.T) {
	given, clock := deps(t, testkit.SQLite(t)), testkit.NewClock(time.Now())
	given.Now = clock.Now
	service, _ := startedWith(t, given)
	fresh := get(t, service.Handler, http.MethodGet, jwksPath, nil)
	require.Equal(t, "public, max-age=0", fresh.Header().Get("Cache-Control"),
		"first keys sign at once, so a key set without them must not be cached")
	clock.Advance(6 * time.Minute)

	for _, path := range everyPath {
		t.Run(path, func(t *testing.T) {
			w := get(t, service.Handler, http.MethodGet, path, nil)
			require.Equal(t, http.StatusOK, w.Code)
			tag := w.Header().Get("ETag")

			for name, want := range map[string]string{
				"Content-Type":                     "application/json",
				"Cache-Control":                    "public, max-age=3600",
				"Access-Control-Allow-Origin":      "*",
				"Access-Control-Allow-Credentials": "",
				"Set-Cookie":                       "",
			} {
				require.Equal(t, want, w.Header().Get(name), name)
			}

			require.Equal(t, fmt.Sprint(w.Body.Len()), w.Header().Get("Content-Length"))

			head := get(t, service.Handler, http.MethodHead, path, nil)
			require.Equal(t, http.StatusOK, head.Code)
			require.Empty(t, head.Body.String())
			require.Equal(t, tag, head.Header().Get("ETag"))

			for name, c := range map[string]struct {
				header http.Header
				want   int
			}{
				"the same tag":         {http.Header{"If-None-Match": {tag}}, http.StatusNotModified},
				"weakly the same":      {http.Header{"If-None-Match": {"W/" + tag}}, http.StatusNotModified},
				"one of several":       {http.Header{"If-None-Match": {`"other", ` + tag}}, http.StatusNotModified},
				"any":                  {http.Header{"If-None-Match": {"*"}}, http.StatusNotModified},
				"another tag":          {http.Header{"If-None-Match": {`"other"`}}, http.StatusOK},
				"no tag at all":        {http.Header{"If-None-Match": {"hello"}}, http.StatusOK},
				"a part is the whole":  {http.Header{"Range": {"bytes=0-1"}}, http.StatusOK},
				"a page of any origin": {http.Header{"Origin": {"https://stranger.example"}}, http.StatusOK},
			} {
				t.Run(name, func(t *testing.T) {
					w := get(t, service.Handler, http.MethodGet, path, c.header)
					require.Equal(t, c.want, w.Code)
					require.Equal(t, tag, w.Header().Get("ETag"))
					require.Equal(t, "public, max-age=3600", w.Header().Get("Cache-Control"))
					require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
					require.Equal(t, c.want == http.StatusNotModified, w.Body.Len() == 0)
				})
			}

			require.Equal(t, http.StatusMethodNotAllowed, get(t, service.Handler, http.MethodPost, path, nil).Code)

			preflight := get(t, service.Handler, http.MethodOptions, path, http.Header{
				"Origin": {"https://stranger.example"}, "Access-Control-Request-Method": {"GET"},
				"Access-Control-Request-Headers": {"if-none-match"},
			})
			require.Equal(t, http.StatusNoContent, preflight.Code)

			for name, want := range map[string]string{
				"Origin":      "*",
				"Methods":     "GET, HEAD",
				"Headers":     "*",
				"Credentials": "",
			} {
				require.Equal(t, want, preflight.Header().Get("Access-Control-Allow-"+name), "Fetch 3.2.2")
			}
		})
	}
}

func TestBeforeTheFirstKeyNothingIsPublished(t *testing.T) {
	service, err := keys.New(configured(t), deps(t, testkit.SQLite(t)))
	require.NoError(t, err)
	require.ErrorIs(t, service.Ready(t.Context()), signing.ErrNoKey)

	for _, path := range everyPath {
		w := get(t, service.Handler, http.MethodGet, path, nil)
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.NotEmpty(t, w.Header().Get("Retry-After"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		require.JSONEq(t, `"temporarily_unavailable"`, member(t, w.Body.Bytes(), "error"))
	}
}

func member(t *testing.T, body []byte, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &all))
	return string(all[name])
}

func TestTheLastGoodSetIsServedWhileTheDatabaseIsAway(t *testing.T) {
	url := testkit.PostgresServer(t).NewDatabase(t)
	db, err := database.Open(t.Context(), database.Options{URL: url})
	require.NoError(t, err)
	service, stop := started(t, db)
	before := get(t, service.Handler, http.MethodGet, jwksPath, nil)
	stop()
	require.NoError(t, db.Close())

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.NoError(t, service.Run(ctx), "it goes on trying")
	after := get(t, service.Handler, http.MethodGet, jwksPath, nil)
	require.Equal(t, http.StatusOK, after.Code)
	require.Equal(t, before.Body.String(), after.Body.String())
	require.NoError(t, service.Ready(t.Context()))
}

// The service alone, under its own rights: platform_keys may write the schedule
// and read nothing of people.
func TestItRunsUnderItsOwnRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	db := testkit.OpenPostgres(t, server.LoginURL(t, server.NewDatabase(t), "platform_keys"))
	service, _ := started(t, db)
	require.Equal(t, http.StatusOK, get(t, service.Handler, http.MethodGet, jwksPath, nil).Code)
	var n int
	require.Error(t, db.Get(t.Context(), "test.people", &n, `SELECT COUNT(*) FROM users`))
}

func TestNewRefusesWhatItCannotWorkWith(t *testing.T) {
	good := deps(t, testkit.SQLite(t))
	for name, spoil := range map[string]func(*keys.Config, *keys.Deps){
		"no database":          func(_ *keys.Config, d *keys.Deps) { d.DB = nil },
		"no clock":             func(_ *keys.Config, d *keys.Deps) { d.Now = nil },
		"no maker of keys":     func(_ *keys.Config, d *keys.Deps) { d.KeyMaker = nil },
		"no rotation":          func(c *keys.Config, _ *keys.Deps) { c.Signing.KeyRotation = 0 },
		"no publishing ahead":  func(c *keys.Config, _ *keys.Deps) { c.Signing.KeyPublishAhead = 0 },
		"an unknown algorithm": func(c *keys.Config, _ *keys.Deps) { c.Signing.AccessTokenAlg = "none" },
	} {
		t.Run(name, func(t *testing.T) {
			c, d := configured(t), good
			spoil(&c, &d)
			_, err := keys.New(c, d)
			require.Error(t, err)
		})
	}

	_, err := keys.New(configured(t), good)
	require.NoError(t, err)
}
