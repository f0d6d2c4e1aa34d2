package token_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// watch returns a function that lists the calls of the database that a request
// has made. A transaction counts as one: it is SQLite's way of what PostgreSQL does
// in a single statement.
func (w *world) watch(t *testing.T, open func(database.Options) (*database.DB, error)) func(f func() answer) []string {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	w.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	db, err := open(database.Options{TracerProvider: w.tracers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w.service = w.start(t, db)

	return func(f func() answer) []string {
		spans.Reset()
		got := f()
		require.Equal(t, http.StatusOK, got.status, got.raw)
		roots := map[string]bool{}
		for _, span := range spans.Ended() {
			if !span.Parent().IsValid() {
				roots[span.SpanContext().SpanID().String()] = true
			}
		}

		require.Len(t, roots, 1, "one request")
		var calls []string
		for _, span := range spans.Ended() {
			if roots[span.Parent().SpanID().String()] &&
				!slices.ContainsFunc(spans.Ended(), func(tx sdktrace.ReadOnlySpan) bool { return holds(tx, span) }) {
				calls = append(calls, span.Name())
			}
		}

		return calls
	}
}

// holds reports whether a statement ran inside a transaction: both are children of
// the request, and the transaction began before it and ended after it.
func holds(tx, statement sdktrace.ReadOnlySpan) bool {
	return tx.Parent().IsValid() && tx.StartTime().Before(statement.StartTime()) &&
		tx.EndTime().After(statement.EndTime())
}

func TestHowOftenTheDatabaseIsAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	for dialect, open := range map[string]func(database.Options) (*database.DB, error){
		"sqlite": func(o database.Options) (*database.DB, error) { return sqlite.Open(t.Context(), path, o) },
		"postgres": func() func(database.Options) (*database.DB, error) {
			url := testkit.PostgresServer(t).NewDatabase(t)
			return func(o database.Options) (*database.DB, error) {
				o.URL = url
				return database.Open(t.Context(), o)
			}
		}(),
	} {
		t.Run(dialect, func(t *testing.T) {
			plain, err := open(database.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, plain.Close()) })
			_, _, err = database.Migrate(t.Context(), plain, nil)
			require.NoError(t, err)
			requireStatements(t, newServers(t, plain), open)
		})
	}
}

func requireStatements(t *testing.T, w *world, open func(database.Options) (*database.DB, error)) {
	t.Helper()
	calls := w.watch(t, open)
	p := w.person(t)
	tokens := w.signedIn(t, p, "keeper", nil) // fills the caches of applications and keys
	own := w.post(t, credentials.with(client("keeper"))).str("access_token")
	code := w.code(t, p, func(c *grants.AuthorizationCode) { c.ClientID = "keeper" })
	device := w.device(t, p, "approved", func(d *grants.DeviceCode) { d.ClientID = "keeper" })
	keeper, token := client("keeper"), tokens.str("refresh_token")
	for _, tt := range []struct {
		name string
		do   func() answer
		want []string
	}{
		{"client_credentials", func() answer { return w.post(t, credentials.with(keeper)) }, nil},
		{
			"a code", func() answer { return w.post(t, redeem(code).with(keeper)) },
			[]string{"authorization_codes.find", "authorization_codes.redeem", "audit.record"},
		},
		{
			"a device code", func() answer { return w.post(t, poll(device).with(keeper)) },
			[]string{"device_codes.find", "device_codes.redeem", "audit.record"},
		},
		{
			"introspection of a refresh token", func() answer { return w.introspect(t, keeper, token) },
			[]string{"refresh_tokens.find"},
		},
		{
			"a refresh", func() answer { return w.post(t, refresh(token)) },
			[]string{"refresh_tokens.find", "refresh_tokens.rotate"},
		},
		{
			"a repeat", func() answer { return w.post(t, refresh(token)) },
			[]string{"refresh_tokens.find", "refresh_tokens.repeat"},
		},
		{"userinfo", func() answer { return w.userinfo(t, tokens.str("access_token")) }, []string{"grants.standing"}},
		{
			"introspection of an access token",
			func() answer { return w.introspect(t, keeper, tokens.str("access_token")) },
			[]string{"grants.standing"},
		},
		{
			"introspection of an application's own", func() answer { return w.introspect(t, keeper, own) },
			[]string{"revoked_tokens.find"},
		},
		{"introspection of another's token", func() answer { return w.introspect(t, client("keeper"), "a.b.c") }, nil},
	} {
		require.Equal(t, tt.want, calls(tt.do), tt.name)
	}
}
