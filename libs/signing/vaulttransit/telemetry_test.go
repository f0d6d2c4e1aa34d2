package vaulttransit_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
)

// traceparents keeps that header of each request (W3C Trace Context 3.2).
type traceparents struct {
	http.RoundTripper
	last atomic.Pointer[string]
}

func (p *traceparents) RoundTrip(r *http.Request) (*http.Response, error) {
	header := r.Header.Get("Traceparent")
	p.last.Store(&header)
	return p.RoundTripper.RoundTrip(r)
}

func TestABatchHasOneSpanThatKnowsItsCallers(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	wire := &traceparents{RoundTripper: transport}
	config := &api.Config{Address: bao.Addr, HttpClient: &http.Client{Transport: wire}}
	c, err := vaulttransit.NewClient(vaulttransit.ClientOptions{Config: config, TracerProvider: provider})
	require.NoError(t, err)
	c.SetToken(bao.RootToken)
	e := open(t, bao, vaulttransit.Options{Client: c, TracerProvider: provider})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())

	tracer := provider.Tracer("test")
	ctx, alone := tracer.Start(t.Context(), "alone")
	_, err = e.Sign(ctx, key, []byte("input"))
	require.NoError(t, err)
	alone.End()
	of := func(parent trace.Span) (children []sdktrace.ReadOnlySpan) {
		for _, s := range recorder.Ended() {
			if s.Parent().SpanID() == parent.SpanContext().SpanID() {
				children = append(children, s)
			}
		}
		return children
	}

	single := of(alone)
	require.Len(t, single, 1)
	require.Equal(t, "vault sign", single[0].Name())
	require.Empty(t, single[0].Links())

	var callers []trace.Span
	var contexts []trace.SpanContext
	for range 3 {
		_, span := tracer.Start(t.Context(), "one of several")
		callers, contexts = append(callers, span), append(contexts, span.SpanContext())
	}

	e.SendFor(t.Context(), key, contexts)
	batch := of(callers[0])
	require.Len(t, batch, 1, "it belongs to the first caller's trace")
	require.Empty(t, of(callers[1]))
	var linked []trace.SpanID
	for _, link := range batch[0].Links() {
		linked = append(linked, link.SpanContext.SpanID())
	}

	require.Equal(t, []trace.SpanID{contexts[1].SpanID(), contexts[2].SpanID()}, linked)
	require.Contains(t, batch[0].Attributes(), attribute.Int("platform.signing.batch.size", 3))
	var call sdktrace.ReadOnlySpan
	for _, s := range recorder.Ended() {
		if s.Parent().SpanID() == batch[0].SpanContext().SpanID() {
			call = s
		}
	}

	require.Equal(t, "PUT /v1/transit/sign/platform-es256", call.Name())
	require.Equal(t, trace.SpanKindClient, call.SpanKind())
	require.Equal(t, fmt.Sprintf("00-%s-%s-01", call.SpanContext().TraceID(), call.SpanContext().SpanID()),
		*wire.last.Load(), "the server can go on with the trace")
	require.NotContains(t, fmt.Sprint(call.Attributes()), bao.RootToken)
}

func TestWhatIsCountedAndMeasured(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	reader := sdkmetric.NewManualReader()
	c, g := gated(t, bao, bao.RootToken)
	e := open(t, bao, vaulttransit.Options{
		Client:        c,
		MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		EC:            vaulttransit.Limits{Batch: 8, Slots: 1},
		Queue:         5,
	})

	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	letGo := g.close()
	var all crowd
	all.sign(t.Context(), e, key, 6)
	waitFor(t, e, 5)
	_, err := e.Sign(t.Context(), key, []byte("input"))
	requireReason(t, vaulttransit.QueueFull, err)
	es256 := attribute.NewSet(attribute.String("algorithm", "ES256"))
	require.EqualValues(t, 5, gauge(t, collect(t, reader), "platform.signing.vault.queue.depth", es256))
	require.EqualValues(t, 0, gauge(t, collect(t, reader), "platform.signing.vault.breaker.state", attribute.NewSet()))
	letGo()
	all.wait()

	got := collect(t, reader)
	sizes := got["platform.signing.vault.batch.size"].(metricdata.Histogram[int64]).DataPoints
	require.Len(t, sizes, 1)
	require.EqualValues(t, 2, sizes[0].Count)
	require.EqualValues(t, 6, sizes[0].Sum)
	waits := got["platform.signing.vault.wait.duration"].(metricdata.Histogram[float64]).DataPoints
	require.EqualValues(t, 6, waits[0].Count)
	counts := map[string]int64{}
	for _, point := range got["platform.signing.vault.signatures"].(metricdata.Sum[int64]).DataPoints {
		outcome, _ := point.Attributes.Value("outcome")
		counts[outcome.AsString()] = point.Value
	}

	require.Equal(t, map[string]int64{"signed": 6, "queue_full": 1}, counts)

	bao.Kill(t)

	for range 3 {
		_, err := e.Sign(t.Context(), key, []byte("input"))
		require.Error(t, err)
	}

	require.NotZero(t, gauge(t, collect(t, reader), "platform.signing.vault.breaker.state", attribute.NewSet()),
		"open, or half-open when a second has passed")
}

func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	byName := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			byName[m.Name] = m.Data
		}
	}

	return byName
}

func gauge(t *testing.T, metrics map[string]metricdata.Aggregation, name string, of attribute.Set) int64 {
	t.Helper()
	for _, point := range metrics[name].(metricdata.Gauge[int64]).DataPoints {
		if point.Attributes.Equals(&of) {
			return point.Value
		}
	}

	require.Fail(t, "no such point", name)
	return 0
}
