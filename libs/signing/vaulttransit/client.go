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

// ClientOptions configures NewClient. Config is required and is modified.
type ClientOptions struct {
	Config    *api.Config
	Namespace string
	// Connections is how many connections are kept open: one per slot and a few more.
	Connections    int
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
}

// NewClient returns a client for an Engine. It has no token yet, leaves retries to its callers,
// keeps its connections open, and gives every request a span and the W3C trace context.
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

	// A transport of another kind manages its connections itself.
	if transport, ok := o.Config.HttpClient.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = max(transport.MaxIdleConnsPerHost, o.Connections)
	}

	o.Config.HttpClient.Transport = otelhttp.NewTransport(
		o.Config.HttpClient.Transport,
		otelhttp.WithTracerProvider(o.TracerProvider), otelhttp.WithMeterProvider(o.MeterProvider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path }),
	)

	// The client's own timeout ends before a raw response has been read, and that of net/http
	// costs a goroutine per request here. The callers have contexts.
	o.Config.Timeout = 0
	// A retry would hold a slot, and the client retries responses that aren't faults.
	o.Config.MaxRetries = 0
	client, err := api.NewClient(o.Config)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}

	client.ClearToken()
	client.SetNamespace(o.Namespace)
	return client, nil
}
