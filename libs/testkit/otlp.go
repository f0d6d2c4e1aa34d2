package testkit

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// OTLP is a collector that keeps what it receives by OpenTelemetry's protocol over HTTP, as
// protobuf.
type OTLP struct {
	// URL is the value for OTEL_EXPORTER_OTLP_ENDPOINT.
	URL string

	mu      sync.Mutex
	bodies  [][]byte
	spans   []Span
	metrics map[string][]*metricspb.Metric
}

// Span is a span with the service that sent it.
type Span struct {
	*tracepb.Span
	Service string // service.name of the resource
}

// NewOTLP starts a collector that stops at the end of the test.
func NewOTLP(t testing.TB) *OTLP {
	t.Helper()
	o := &OTLP{metrics: map[string][]*metricspb.Metric{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) { o.take(w, r, o.takeTraces) })
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, r *http.Request) { o.take(w, r, o.takeMetrics) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	o.URL = server.URL
	return o
}

func (o *OTLP) take(w http.ResponseWriter, r *http.Request, decode func(body []byte) error) {
	var reader io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reader = unpacked
	}

	body, err := io.ReadAll(reader)
	if err == nil {
		o.mu.Lock()
		o.bodies = append(o.bodies, body)
		err = decode(body)
		o.mu.Unlock()
	}

	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	w.Header().Set("Content-Type", "application/x-protobuf") // an empty message means that everything was accepted
}

func (o *OTLP) takeTraces(body []byte) error {
	var request coltrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}

	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				o.spans = append(o.spans,
					Span{Span: span, Service: Attribute(resource.Resource.Attributes, "service.name")})
			}
		}
	}

	return nil
}

func (o *OTLP) takeMetrics(body []byte) error {
	var request colmetrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}

	for _, resource := range request.ResourceMetrics {
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				o.metrics[m.Name] = append(o.metrics[m.Name], m)
			}
		}
	}

	return nil
}

// Attribute returns the text of an attribute, or the empty string if it is missing or not
// text.
func Attribute(all []*commonpb.KeyValue, key string) string {
	for _, a := range all {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// Spans returns the spans received so far.
func (o *OTLP) Spans() []Span {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.spans)
}

// Metrics returns the metrics received so far, by name.
func (o *OTLP) Metrics() map[string][]*metricspb.Metric {
	o.mu.Lock()
	defer o.mu.Unlock()
	copied := make(map[string][]*metricspb.Metric, len(o.metrics))
	for name, list := range o.metrics {
		copied[name] = slices.Clone(list)
	}
	return copied
}

// Bodies returns every request body received so far, decompressed. Protobuf holds texts as
// they are, so tests can search them.
func (o *OTLP) Bodies() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.bodies)
}

// WaitFor waits until done returns true for the received spans.
func (o *OTLP) WaitFor(t testing.TB, what string, done func(spans []Span) bool) {
	t.Helper()
	require.Eventually(t, func() bool { return done(o.Spans()) }, Patience, 20*time.Millisecond, what)
}
