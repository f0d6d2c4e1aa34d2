package servicekit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestThePoolAndTheNewsOfChangesAreExported(t *testing.T) {
	telemetry, err := NewTelemetry(t.Context(), "token", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.WithoutCancel(t.Context()))) })
	url := testkit.PostgresServer(t).NewDatabase(t)
	cfg := config.Database{
		URL:              url,
		DirectURL:        url,
		MaxOpen:          7,
		MaxIdle:          7,
		ConnMaxLifetime:  time.Minute,
		StatementTimeout: 5 * time.Second,
		LockTimeout:      3 * time.Second,
	}

	deps := Deps{
		Logger:         testkit.Logger(t),
		Now:            Clock,
		MeterProvider:  telemetry.MeterProvider,
		TracerProvider: telemetry.TracerProvider,
	}

	deps.DB, err = OpenDatabase(t.Context(), cfg, deps)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, deps.DB.Close()) })
	watching, err := WatchChanges(cfg, &deps)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watching.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	scrape := func() string {
		rec := httptest.NewRecorder()
		telemetry.Metrics.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		require.Equal(t, http.StatusOK, rec.Code)
		return rec.Body.String()
	}

	require.Eventually(t, func() bool { return !deps.Changes.Told().IsZero() }, 30*time.Second, time.Millisecond)
	text := scrape()
	for _, series := range []string{
		`db_client_connection_count{[^}]*state="used"[^}]*} \d`,
		`db_client_connection_count{[^}]*state="idle"[^}]*} \d`, `db_client_connection_max{[^}]*} 7\n`,
		`db_client_connection_waits_total{[^}]*} \d`, `db_client_connection_wait_time_seconds_total{[^}]*} \d`,
		`db_client_operation_duration_seconds_count{[^}]*changes.look[^}]*} \d`,
		`platform_changes_listening{[^}]*} [01]\n`, `platform_changes_age_seconds{[^}]*} \d`,
	} {
		require.Regexp(t, series, text)
	}
}
