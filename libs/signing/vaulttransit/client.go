package vaulttransit

import (
	"errors"
	"fmt"
	"net/http"
	"time"

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
	Timeout   time.Duration // of a request, whole
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
	transport, ok := o.Config.HttpClient.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("vault: the client's transport is not one of net/http")
	}
	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}
	transport.MaxIdleConnsPerHost = max(transport.MaxIdleConnsPerHost, o.Connections)
	o.Config.HttpClient.Transport = otelhttp.NewTransport(
		transport,
		otelhttp.WithTracerProvider(o.TracerProvider), otelhttp.WithMeterProvider(o.MeterProvider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path }),
	)
	// The client's own timeout ends when the answer begins; this one when it has
	// been read.
	o.Config.HttpClient.Timeout, o.Config.Timeout = o.Timeout, 0
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
