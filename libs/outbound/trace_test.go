package outbound

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestAnExchangeIsASpanThatNamesTheServerOnly(t *testing.T) {
	var sent http.Header
	address, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Clone()
		w.WriteHeader(http.StatusTeapot)
	})
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	c := client(t, Options{Allow: []string{"127.0.0.1"}, TracerProvider: provider})
	state, err := trace.ParseTraceState("vendor=whatever")
	require.NoError(t, err)
	remote := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{1},
		SpanID:     trace.SpanID{2},
		TraceFlags: trace.FlagsSampled,
		TraceState: state,
	})

	ctx := trace.ContextWithRemoteSpanContext(t.Context(), remote)

	status, err := c.PostForm(ctx, address+"/s3cret?key=s3cret", url.Values{"logout_token": {"s3cret"}})
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, status)
	_, _, err = c.Get(ctx, "https://127.0.0.2/")
	require.ErrorIs(t, err, ErrRefused)

	ended := spans.Ended()
	require.Len(t, ended, 2)
	require.Equal(t, trace.SpanKindClient, ended[0].SpanKind())
	require.Equal(t, "POST", ended[0].Name())
	require.Equal(t, remote.SpanID(), ended[0].Parent().SpanID())
	attributes := attribute.NewSet(ended[0].Attributes()...)
	require.Equal(t,
		[]attribute.Key{
			"http.request.method", "http.response.status_code", "server.address", "server.port", "url.scheme",
		}, keys(attributes))
	require.Equal(t, codes.Error, ended[1].Status().Code)
	require.Contains(t, ended[1].Attributes(), attribute.String("error.type", "refused"))

	require.Equal(t,
		"00-"+remote.TraceID().String()+"-"+ended[0].SpanContext().SpanID().String()+"-01", sent.Get("Traceparent"))
	require.Empty(t, sent.Values("Tracestate"), "it is not the application's")
}

func keys(set attribute.Set) (keys []attribute.Key) {
	for _, kv := range set.ToSlice() {
		keys = append(keys, kv.Key)
	}
	return keys
}

func TestNothingIsPropagatedWhereNothingTraces(t *testing.T) {
	var sent http.Header
	address, _ := server(t, func(_ http.ResponseWriter, r *http.Request) { sent = r.Header.Clone() })
	_, err := client(t, Options{Allow: []string{"127.0.0.1"}}).PostForm(t.Context(), address, nil)
	require.NoError(t, err)
	require.Empty(t, sent.Values("Traceparent"))
}
