package servicekit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Telemetry holds a process's traces and metrics.
type Telemetry struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Metrics serves /metrics on the admin listener.
	Metrics  http.Handler
	shutdown []func(context.Context) error
}

// NewTelemetry always collects metrics for /metrics. It exports traces and metrics by OTLP over
// HTTP only if environ, in the form of os.Environ, names an endpoint in OpenTelemetry's own
// variables. The exporters read the rest of those (headers, certificates, sampler) from the
// process's environment.
func NewTelemetry(ctx context.Context, service string, environ []string) (*Telemetry, error) {
	vars := otelVariables(environ)
	if err := checkSampler(vars); err != nil {
		return nil, err
	}

	about, err := resource.New(
		ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", service), attribute.String("service.version", Version()),
			attribute.String("service.instance.id", rand.Text()), // so that replicas' metrics can be told apart
		),
		resource.WithFromEnv(), // last, so that it takes precedence
	)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}

	t := &Telemetry{TracerProvider: tracenoop.NewTracerProvider()}
	if err := t.traces(ctx, vars, about); err != nil {
		return nil, err
	}

	if err := t.metrics(ctx, vars, about); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}

	return t, nil
}

// Install makes W3C trace context the process's propagation, without baggage, which others may
// have filled with anything, and sends OpenTelemetry's own errors to logger. It changes
// globals, so only main should call it.
func (t *Telemetry) Install(logger *slog.Logger) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("telemetry", "error", err) }))
}

// Shutdown sends what is still buffered and stops.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var all error
	for _, stop := range t.shutdown {
		all = errors.Join(all, stop(ctx))
	}
	return all
}

func (t *Telemetry) traces(ctx context.Context, vars map[string]string, about *resource.Resource) error {
	endpoint, err := otlpEndpoint(vars, "TRACES")
	if err != nil || endpoint == "" {
		return err
	}

	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return fmt.Errorf("exporting traces: %w", err)
	}

	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.TracerProvider = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

func (t *Telemetry) metrics(ctx context.Context, vars map[string]string, about *resource.Resource) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	scraped, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}

	options := []sdkmetric.Option{sdkmetric.WithReader(scraped), sdkmetric.WithResource(about)}
	endpoint, err := otlpEndpoint(vars, "METRICS")
	if err != nil {
		return err
	}

	if endpoint != "" {
		exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(endpoint))
		if err != nil {
			return fmt.Errorf("exporting metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}

	provider := sdkmetric.NewMeterProvider(options...)
	t.MeterProvider = provider
	t.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	t.shutdown = append(t.shutdown, provider.Shutdown)

	return nil
}

// samplers are the samplers that the SDK knows, and whether they take a ratio from
// OTEL_TRACES_SAMPLER_ARG. With a parentbased sampler the decision of a trusted proxy counts,
// and for a request that begins a trace the decision is made here.
var samplers = map[string]bool{
	"always_on":                false,
	"always_off":               false,
	"traceidratio":             true,
	"parentbased_always_on":    false,
	"parentbased_always_off":   false,
	"parentbased_traceidratio": true,
}

// checkSampler refuses values for which the SDK would only log an error and then record
// everything.
func checkSampler(vars map[string]string) error {
	name := strings.ToLower(strings.TrimSpace(vars["OTEL_TRACES_SAMPLER"]))
	takesRatio, known := samplers[name]
	if name != "" && !known {
		return fmt.Errorf("OTEL_TRACES_SAMPLER: %q isn't one of %s", name,
			strings.Join(slices.Sorted(maps.Keys(samplers)), ", "))
	}

	if arg := strings.TrimSpace(vars["OTEL_TRACES_SAMPLER_ARG"]); takesRatio && arg != "" {
		if ratio, err := strconv.ParseFloat(arg, 64); err != nil || !(0 <= ratio && ratio <= 1) {
			return errors.New("OTEL_TRACES_SAMPLER_ARG: the ratio must be a number from 0 to 1")
		}
	}

	return nil
}

func otelVariables(environ []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") && value != "" {
			vars[name] = value
		}
	}
	return vars
}

// otlpEndpoint returns where a signal is sent: the signal's own endpoint as it is, or the
// common one with the signal's path. It is empty if the signal isn't exported.
func otlpEndpoint(vars map[string]string, signal string) (string, error) {
	if strings.EqualFold(vars["OTEL_SDK_DISABLED"], "true") ||
		strings.EqualFold(vars["OTEL_"+signal+"_EXPORTER"], "none") {
		return "", nil
	}

	name, path := "OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT", ""
	if vars[name] == "" {
		name, path = "OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/"+strings.ToLower(signal)
	}

	endpoint := vars[name]
	if endpoint == "" {
		return "", nil
	}

	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		return "", fmt.Errorf("%s: the value is not an http:// or https:// URL", name)
	}

	for _, protocol := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if value := vars[protocol]; value != "" {
			if value != "http/protobuf" {
				return "", fmt.Errorf("%s: %q isn't supported; set it to http/protobuf (port 4318 of a collector)",
					protocol, value)
			}
			break
		}
	}

	return strings.TrimSuffix(endpoint, "/") + path, nil
}
