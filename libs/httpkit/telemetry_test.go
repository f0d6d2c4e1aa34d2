package httpkit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestEachRequestIsASpanNamedByItsRoute(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
	var inside trace.SpanContext
	h := newTestHandler(t, map[string]gin.HandlerFunc{
		"flow": func(c *gin.Context) { inside = trace.SpanContextFromContext(c.Request.Context()) },
		"form": failWith(oauth.Unavailable(nil)),
	}, func(o *Options) { o.TracerProvider = provider })

	send(h, httptest.NewRequest(http.MethodGet, "/flows/flw_secret?code=s3cret", nil))
	failed := send(h, httptest.NewRequest(http.MethodPost, "/form", nil))
	send(h, httptest.NewRequest("BREW", "/nope/flw_secret", nil))

	spans := recorder.GetSpans()
	require.Len(t, spans, 3)
	require.Equal(t, "GET /flows/{flow}", spans[0].Name)
	require.Equal(t, trace.SpanKindServer, spans[0].SpanKind)
	require.Equal(t, spans[0].SpanContext.SpanID(), inside.SpanID())
	require.ElementsMatch(t, []attribute.KeyValue{
		attribute.String("http.request.method", "GET"),
		attribute.String("url.scheme", "http"),
		attribute.String("http.route", "/flows/{flow}"),
		attribute.String("url.path", "/flows/{flow}"), // never the path itself
		attribute.Int("http.response.status_code", 200),
	}, spans[0].Attributes)

	require.Equal(t, "POST /form", spans[1].Name)
	require.Equal(t, codes.Error, spans[1].Status.Code)
	require.Contains(t, spans[1].Attributes, attribute.String("oauth.error", "temporarily_unavailable"))
	require.Contains(t, spans[1].Attributes, attribute.String("error.type", "503"))
	require.Equal(t, spans[1].SpanContext.TraceID().String(), failed.Header.Get("X-Request-Id"),
		"the reference is the trace id")

	require.Equal(t, "_OTHER", spans[2].Name)
	require.Equal(t, codes.Unset, spans[2].Status.Code, "the caller's mistakes are not ours")
}

// TestOnlyTheTraceOfAProxyThatMakesItsOwnGoesOn checks that other traces are only linked
// to, so that they can't cause recording or choose our trace ids.
func TestOnlyTheTraceOfAProxyThatMakesItsOwnGoesOn(t *testing.T) {
	t.Parallel()
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for name, tt := range map[string]struct {
		peer, flags             string
		makes                   bool
		parent, recorded, links bool
	}{
		"a proxy's sampled trace goes on":             {"192.0.2.1:9", "01", true, true, true, false},
		"a proxy's decision not to record is kept":    {"192.0.2.1:9", "00", true, true, false, false},
		"a client's sampled trace is linked to":       {"203.0.113.1:9", "01", true, false, true, true},
		"a client's unsampled trace is linked to":     {"203.0.113.1:9", "00", true, false, true, true},
		"a peer without an address isn't a proxy":     {"@", "01", true, false, true, true},
		"a proxy that makes none passes on another's": {"192.0.2.1:9", "01", false, false, true, true},
		"a proxy's trace context that makes no sense": {"192.0.2.1:9", "xx", true, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := tracetest.NewInMemoryExporter()
			h := newTestHandler(t, nil, func(o *Options) {
				o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
				o.ProxyTraces = tt.makes
				o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			})

			r := httptest.NewRequest(http.MethodGet, "/flows/1", nil)
			r.RemoteAddr = tt.peer
			r.Header.Set("Traceparent", "00-"+traceID+"-"+spanID+"-"+tt.flags)
			r.Header.Set("Tracestate", "vendor=s3cret")
			r.Header.Set("Baggage", "user=s3cret")
			send(h, r)
			spans := recorder.GetSpans()
			if !tt.recorded {
				require.Empty(t, spans)
				return
			}

			require.Len(t, spans, 1)
			require.Equal(t, tt.parent, spans[0].Parent.SpanID().String() == spanID)
			require.Equal(t, tt.parent, spans[0].SpanContext.TraceID().String() == traceID)
			require.Empty(t, spans[0].SpanContext.TraceState().String(), "others write there what they like")

			if !tt.links {
				require.Empty(t, spans[0].Links)
				return
			}

			require.Len(t, spans[0].Links, 1)
			require.Equal(t, traceID, spans[0].Links[0].SpanContext.TraceID().String())
			require.Equal(t, spanID, spans[0].Links[0].SpanContext.SpanID().String())
			require.Empty(t, spans[0].Links[0].SpanContext.TraceState().String())
		})
	}
}

func TestRefusalsAreCountedByTheLimitThatWasMet(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	errs := []error{
		&limits.Error{Limit: limits.UserCode, After: time.Minute},
		fmt.Errorf("wrapped: %w", &limits.Error{Limit: limits.UserCode, After: time.Minute}),
		&oauth.Error{Code: oauth.TooManyRequests, StatusOverride: http.StatusTooManyRequests},
		oauth.Unavailable(nil),
	}

	h := newTestHandler(t, map[string]gin.HandlerFunc{"form": func(c *gin.Context) {
		Fail(c, errs[0])
		errs = errs[1:]
	}}, func(o *Options) { o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)) })
	for range len(errs) {
		send(h, httptest.NewRequest(http.MethodPost, "/form", nil))
	}

	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	counts := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if data, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "platform.limits.refusals" {
			for _, p := range data.DataPoints {
				counts[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Value
			}
		}
	}

	require.Equal(t, map[string]int64{"limit=user_code": 2, "limit=other": 1}, counts)
}

func TestMetricsAreByRouteAndStatus(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"form": func(*gin.Context) { panic("boom") }}, func(o *Options) {
		o.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	})
	for range 3 {
		send(h, httptest.NewRequest(http.MethodGet, "/flows/"+t.Name(), nil))
	}

	send(h, httptest.NewRequest(http.MethodPost, "/form", nil))

	for _, path := range []string{"/a", "/b"} {
		send(h, httptest.NewRequest(http.MethodGet, path, nil))
	}

	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &all))
	counts := map[string]uint64{}
	var active []int64
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			require.Equal(t, "http.server.request.duration", m.Name)
			require.Equal(t, "s", m.Unit)
			for _, p := range data.DataPoints {
				counts[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Count
			}
		case metricdata.Sum[int64]:
			require.Equal(t, "http.server.active_requests", m.Name)
			for _, p := range data.DataPoints {
				active = append(active, p.Value)
			}
		}
	}

	require.Equal(t, map[string]uint64{
		"http.request.method=GET,http.response.status_code=204,http.route=/flows/{flow},url.scheme=http":         3,
		"error.type=500,http.request.method=POST,http.response.status_code=500,http.route=/form,url.scheme=http": 1,
		"http.request.method=GET,http.response.status_code=404,url.scheme=http":                                  2,
	}, counts)

	require.Equal(t, []int64{0, 0, 0}, active)
}

func TestStatusesOutsideTheRangeAreCountedAsOurs(t *testing.T) {
	t.Parallel()
	rt := newRoute("https", http.MethodGet, "/a")
	require.Equal(t, rt.measured(500), rt.measured(999))
	require.Equal(t, rt.measured(500), rt.measured(0))
}

// BenchmarkMiddleware measures everything around a handler.
func BenchmarkMiddleware(b *testing.B) {
	unsampled := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	for name, change := range map[string]func(*Options){
		"nothing exported":   func(*Options) {},
		"metrics, unsampled": func(o *Options) { o.TracerProvider, o.MeterProvider = unsampled, meters },
	} {
		b.Run(name, func(b *testing.B) {
			h := newTestHandler(b, nil, change)
			r := httptest.NewRequest(http.MethodGet, "/flows/flw_1", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(&nullWriter{header: make(http.Header, 8)}, r)
			}
		})
	}
}

type nullWriter struct{ header http.Header }

func (w *nullWriter) Header() http.Header         { return w.header }
func (w *nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *nullWriter) WriteHeader(int)             {}
