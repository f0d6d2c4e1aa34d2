package database_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

func TestCallsAreSeenByNameAndNeverByContent(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	reader := sdkmetric.NewManualReader()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "platform.db"), database.Options{
		TracerProvider: tracers,
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	require.NoError(t, err)
	ctx, parent := tracers.Tracer("test").Start(t.Context(), "request")
	var n int
	require.NoError(t, db.Get(ctx, "test.secret", &n, `SELECT $1`, 42))
	require.Error(t, db.Get(ctx, "test.broken", &n, `SELECT nothing`))
	parent.End()
	require.NoError(t, db.Get(t.Context(), "test.no_parent", &n, `SELECT 1`))

	names := map[string]string{}
	for _, span := range spans.Ended() {
		names[span.Name()] = span.Status().Description
		for _, a := range span.Attributes() {
			require.Contains(t, []attribute.Key{"db.system.name", "db.operation.name", "error.type"}, a.Key)
		}
	}

	require.Equal(t, map[string]string{"request": "", "test.secret": "", "test.broken": "other"}, names)

	got := collect(t, reader)
	require.Contains(t, got, "db.client.operation.duration")
	series := map[string]string{}
	for _, point := range got["db.client.operation.duration"].(metricdata.Histogram[float64]).DataPoints {
		name, _ := point.Attributes.Value("db.operation.name")
		kind, _ := point.Attributes.Value("error.type")
		series[name.AsString()] = kind.AsString()
	}

	require.Equal(t, map[string]string{"test.secret": "", "test.broken": "other", "test.no_parent": ""}, series)

	for _, name := range []string{
		"db.client.connection.count", "db.client.connection.max", "db.client.connection.waits",
		"db.client.connection.wait_time",
	} {
		require.Contains(t, got, name)
	}

	require.NoError(t, db.Close())
	require.NotContains(t, collect(t, reader), "db.client.connection.count", "a closed pool has no figures")
}

func collect(t *testing.T, reader sdkmetric.Reader) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	found := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m.Data
		}
	}

	return found
}
