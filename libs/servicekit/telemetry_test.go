package servicekit

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// otlpSink notes the paths of what is exported to it.
type otlpSink struct {
	*httptest.Server
	mu    sync.Mutex
	paths map[string]bool
}

func newOTLPSink(t *testing.T) *otlpSink {
	t.Helper()
	sink := &otlpSink{paths: map[string]bool{}}
	sink.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		sink.paths[r.URL.Path] = true
	}))

	t.Cleanup(sink.Close)
	return sink
}

// record makes a span and a measurement, and sends what is sent.
func record(t *testing.T, telemetry *Telemetry) (recording bool) {
	t.Helper()
	counter, err := telemetry.MeterProvider.Meter("test").Int64Counter("flows.started")
	require.NoError(t, err)
	counter.Add(t.Context(), 3)
	_, span := telemetry.TracerProvider.Tracer("test").Start(t.Context(), "work")
	recording = span.IsRecording()
	span.End()
	return recording
}

func TestNothingIsExportedWithoutAnEndpoint(t *testing.T) {
	for _, environ := range [][]string{
		nil,
		{"OTEL_EXPORTER_OTLP_ENDPOINT="},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_SDK_DISABLED=true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"},
	} {
		telemetry, err := NewTelemetry(t.Context(), "token", environ)
		require.NoError(t, err)
		require.False(t, record(t, telemetry), environ)
		require.NoError(t, telemetry.Shutdown(t.Context()))
	}
}

func TestMetricsAreAlwaysScrapable(t *testing.T) {
	telemetry, err := NewTelemetry(t.Context(), "token", nil)
	require.NoError(t, err)
	record(t, telemetry)
	w := httptest.NewRecorder()
	telemetry.Metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Regexp(t, `(?m)^flows_started_total\{.*\} 3$`, w.Body.String())
	require.Contains(t, w.Body.String(), "go_goroutines")
	require.Contains(t, w.Body.String(), `service_name="token"`)
	require.NoError(t, telemetry.Shutdown(t.Context()))
}

func TestShutdownSendsTheLastTracesAndMetrics(t *testing.T) {
	for name, tt := range map[string]struct {
		variable, path string
		want           map[string]bool
	}{
		"to the common endpoint": {
			"OTEL_EXPORTER_OTLP_ENDPOINT", "/otlp/", map[string]bool{"/otlp/v1/traces": true, "/otlp/v1/metrics": true},
		},
		"traces to their own alone":  {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/t", map[string]bool{"/t": true}},
		"metrics to their own alone": {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/m", map[string]bool{"/m": true}},
		"to an endpoint with no path": {
			"OTEL_EXPORTER_OTLP_ENDPOINT", "", map[string]bool{"/v1/traces": true, "/v1/metrics": true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newOTLPSink(t)
			telemetry, err := NewTelemetry(t.Context(), "token", []string{tt.variable + "=" + sink.URL + tt.path})
			require.NoError(t, err)
			record(t, telemetry)
			require.NoError(t, telemetry.Shutdown(t.Context()))
			require.Equal(t, tt.want, sink.paths)
		})
	}
}

func TestAnEndpointThatCannotWorkStopsTheStart(t *testing.T) {
	for want, environ := range map[string][]string{
		"set it to http/protobuf": {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
		"is not an http:// or":    {"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"},
	} {
		_, err := NewTelemetry(t.Context(), "token", environ)
		require.ErrorContains(t, err, want)
	}
}

func TestInstallPropagatesW3CTraceContext(t *testing.T) {
	telemetry, err := NewTelemetry(t.Context(), "token", nil)
	require.NoError(t, err)
	telemetry.Install(slog.New(slog.DiscardHandler))
	require.Contains(t, otel.GetTextMapPropagator().Fields(), "traceparent")
}

func TestLogLinesCarryTheirTrace(t *testing.T) {
	var out bytes.Buffer
	logger := NewLogger(&out, config.Log{Level: "info", Format: "auto"}).With("service", "token")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	logger.InfoContext(trace.ContextWithSpanContext(context.Background(), span), "in a request")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "JSON unless it is a terminal")
	require.Equal(t, span.TraceID().String(), line["trace_id"])
	require.Equal(t, span.SpanID().String(), line["span_id"])
	require.Equal(t, "token", line["service"])

	out.Reset()
	logger.Debug("too little")
	require.Empty(t, out.String())
	NewLogger(&out, config.Log{Level: "debug", Format: "text"}).WithGroup("g").Debug("outside", "a", 1)
	require.Contains(t, out.String(), "level=DEBUG msg=outside g.a=1")
	require.NotContains(t, out.String(), "trace_id")
}

// TestSpansAndMetricsArriveAtACollector reads what a collector understands.
func TestSpansAndMetricsArriveAtACollector(t *testing.T) {
	collector := testkit.NewOTLP(t)
	telemetry, err := NewTelemetry(t.Context(), "token", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL})
	require.NoError(t, err)
	record(t, telemetry)
	require.NoError(t, telemetry.Shutdown(t.Context()))
	spans := collector.Spans()
	require.Len(t, spans, 1)
	require.Equal(t, "work", spans[0].Name)
	require.Equal(t, "token", spans[0].Service)
	require.Contains(t, collector.Metrics(), "flows.started")
}

func TestTheSamplerIsTheOperators(t *testing.T) {
	remote := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID:    trace.TraceID{1},
			SpanID:     trace.SpanID{2},
			TraceFlags: flags,
			Remote:     true,
		}))
	}
	for _, tt := range []struct {
		sampler, arg                 string
		root, ofSampled, ofUnsampled bool
	}{
		{"", "", true, true, false},
		{"always_on", "", true, true, true},
		{"always_off", "", false, false, false},
		{"parentbased_always_off", "", false, true, false},
		{"parentbased_traceidratio", "0", false, true, false},
		{"parentbased_traceidratio", "1", true, true, false},
	} {
		t.Run(tt.sampler+" "+tt.arg, func(t *testing.T) {
			t.Setenv("OTEL_TRACES_SAMPLER", tt.sampler)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", tt.arg)
			telemetry, err := NewTelemetry(t.Context(), "token",
				append(os.Environ(), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+newOTLPSink(t).URL))
			require.NoError(t, err)
			defer func() { require.NoError(t, telemetry.Shutdown(context.Background())) }()
			recorded := func(ctx context.Context) bool {
				_, span := telemetry.TracerProvider.Tracer("test").Start(ctx, "work")
				defer span.End()
				return span.IsRecording()
			}

			require.Equal(t, tt.root, recorded(t.Context()))
			require.Equal(t, tt.ofSampled, recorded(remote(trace.FlagsSampled)))
			require.Equal(t, tt.ofUnsampled, recorded(remote(0)))
		})
	}
}

func TestASamplerThatNobodyKnowsStopsTheStart(t *testing.T) {
	_, err := NewTelemetry(t.Context(), "token", []string{"OTEL_TRACES_SAMPLER=one_percent"})
	require.ErrorContains(t, err, "parentbased_traceidratio")
	for _, arg := range []string{"1%", "2", "-1", "NaN"} {
		_, err = NewTelemetry(t.Context(), "token",
			[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=" + arg})
		require.ErrorContains(t, err, "from 0 to 1", arg)
	}
}
