package session

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// Strangers learn nothing from how long it takes: the database is asked the same
// for everybody, in the same order, at each step.
func TestTheDatabaseIsAskedTheSameForKnownAndUnknownPeople(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	role := server.LoginURL(t, owner, "platform_session")
	for dialect, open := range map[string]func(o database.Options) (*database.DB, error){
		"sqlite": func(o database.Options) (*database.DB, error) { return sqlite.Open(t.Context(), path, o) },
		"postgres": func(o database.Options) (*database.DB, error) {
			if o.URL = owner; o.TracerProvider != nil {
				o.URL = role
			}
			return database.Open(t.Context(), o)
		},
	} {
		t.Run(dialect, func(t *testing.T) {
			plain, err := open(database.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, plain.Close()) })
			_, _, err = database.Migrate(t.Context(), plain, nil)
			require.NoError(t, err)
			spans := tracetest.NewSpanRecorder()
			tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			traced, err := open(database.Options{TracerProvider: tracers})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, traced.Close()) })
			w := newWorld(t, plain, traced)
			deps := w.deps()
			deps.TracerProvider = tracers // statements are children of requests
			service, err := build(testConfig(t), deps, w.hasher)
			require.NoError(t, err)
			w.handler = service.Handler
			warm := w.newBrowser() // fills the cache of applications
			_, page := warm.flow(nil)
			warm.Get(page)

			asked := map[string][]string{}
			for _, name := range []string{"ada", "unknown", "disabled", "passwordless", "nobody"} {
				b := w.newBrowser()
				_, page := b.flow(nil)
				spans.Reset()
				p := b.Get(page).Submit("Continue", url.Values{"email": {name + "@acme.test"}})
				p = p.Submit("Sign in", url.Values{"password": {"not " + rightWords}})
				require.Equal(t, http.StatusOK, p.Status)
				for _, span := range spans.Ended() {
					asked[name] = append(asked[name], span.Name())
				}
				require.Equal(t, asked["ada"], asked[name], name)
			}
			require.Contains(t, asked["ada"], "limits.fail")
		})
	}
}

// BenchmarkWrongPassword shows whether the time of an answer tells who exists:
// compare its lines.
func BenchmarkWrongPassword(b *testing.B) {
	db := testkit.SQLite(b)
	w := newWorld(b, db, db)
	for _, name := range []string{"ada", "unknown", "disabled", "passwordless", "nobody"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.clock.Advance(time.Hour) // nobody is held up
				if res := w.guess("192.0.2.1", name+"@acme.test", "wrong"); res.StatusCode != http.StatusSeeOther {
					b.Fatal(res.Status)
				}
			}
		})
	}
}

// An old cookie signs nobody in again: not after a logout, and not by being put
// back.
func TestACookieFromBeforeALogoutIsWorthNothing(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		old := b.Cookies(origin)
		sid := b.session().ID
		require.Equal(t, http.StatusSeeOther, b.Get(query("id_token_hint", w.signer()("JWT", idToken(sid)), "post_logout_redirect_uri", bye)).Status)
		u, err := url.Parse(origin)
		require.NoError(t, err)
		for _, c := range old {
			c.Path = "/"
		}
		b.Client().Jar.SetCookies(u, old)
		require.Equal(t, sid, b.session().ID, "the browser sends it")
		require.Equal(t, "Sign in", b.Get(accountURL).H1())
		_, page := b.flow(nil)
		require.Equal(t, "Sign in", b.Get(page).H1())
		require.True(t, w.ended(sid))
	})
}
