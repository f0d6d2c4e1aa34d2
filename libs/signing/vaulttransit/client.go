package vaulttransit

import (
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/api"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// ClientOptions are what NewClient needs. Config is required, and used up.
type ClientOptions struct {
	Config    *api.Config
	Namespace string
	// Connections is how many are kept open: one a slot, and a few.
	Connections    int
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
}

// NewClient makes a client that an Engine can work with: it has no token yet,
// leaves trying again to the callers, keeps its connections, and gives every
// request a span and the W3C trace context.
func NewClient(o ClientOptions) (*api.Client, error) {
	if o.Config.Error != nil {
		return nil, o.Config.Error
	}

	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}

	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}

	// A transport of another kind looks after its connections itself.
	if transport, ok := o.Config.HttpClient.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = max(transport.MaxIdleConnsPerHost, o.Connections)
	}

	o.Config.HttpClient.Transport = otelhttp.NewTransport(
		o.Config.HttpClient.Transport,
		otelhttp.WithTracerProvider(o.TracerProvider), otelhttp.WithMeterProvider(o.MeterProvider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path }),
	)

	// The client's own timeout ends before a raw answer has been read, and that of
	// net/http costs a goroutine a request here. The callers have contexts.
	o.Config.Timeout = 0
	// A retry would hold a slot, and the client takes answers for faults that are none.
	o.Config.MaxRetries = 0
	client, err := api.NewClient(o.Config)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}

	client.ClearToken()
	client.SetNamespace(o.Namespace)
	return client, nil
}
