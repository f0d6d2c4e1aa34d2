package database

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const scopeName = "github.com/platform-oauth/platform-oauth/libs/database"

// slowStatement is the duration from which a statement is logged. No statement of the platform
// normally takes a tenth of it.
const slowStatement = time.Second

// observer makes a span and a measurement for every call. If neither is recorded, it costs two
// clock readings.
type observer struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	logger   *slog.Logger
	system   attribute.KeyValue
	expiry   expiry
	watched  []metric.Registration
	series   sync.Map // series → metric.MeasurementOption, created once
}

type series struct {
	name string
	kind Kind
}

func newObserver(h Handles, o Options) (*observer, error) {
	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}

	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}

	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	meter := o.MeterProvider.Meter(scopeName)
	duration, err := meter.Float64Histogram("db.client.operation.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Duration of database calls, including the wait for a connection."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 10))
	if err != nil {
		return nil, err
	}

	obs := &observer{
		tracer:   o.TracerProvider.Tracer(scopeName),
		duration: duration,
		logger:   o.Logger,
		system:   attribute.String("db.system.name", string(h.Dialect)),
	}
	if err := obs.watchExpiry(meter); err != nil {
		return nil, err
	}

	if err := obs.watchPool(meter, "writer", h.Writer); err != nil {
		return nil, err
	}

	if h.Reader != h.Writer {
		if err := obs.watchPool(meter, "reader", h.Reader); err != nil {
			return nil, err
		}
	}

	return obs, nil
}

// call runs f with a span, if the parent is being recorded, and measures it.
func (o *observer) call(ctx context.Context, name string, f func(ctx context.Context) error) error {
	start := time.Now()
	inner := ctx
	var span trace.Span
	if trace.SpanFromContext(ctx).IsRecording() {
		inner, span = o.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(o.system, attribute.String("db.operation.name", name)))
		// Deferred, so that a panic in a transaction leaves no open span.
		defer span.End()
	}

	err := wrap(ctx, name, f(inner))
	kind := Classify(ctx, err)
	if span != nil && kind > KindConflict {
		span.SetAttributes(attribute.String("error.type", kind.String()))
		span.SetStatus(codes.Error, kind.String())
	}

	elapsed := time.Since(start)
	if o.duration.Enabled(ctx) {
		o.duration.Record(ctx, elapsed.Seconds(), o.measurement(name, kind))
	}

	if elapsed > slowStatement {
		o.logger.WarnContext(ctx, "slow database call", "statement", name, "duration", elapsed,
			"outcome", kind.String())
	}

	return err
}

func (o *observer) measurement(name string, kind Kind) metric.MeasurementOption {
	key := series{name, kind}
	if known, ok := o.series.Load(key); ok {
		return known.(metric.MeasurementOption)
	}

	attributes := []attribute.KeyValue{o.system, attribute.String("db.operation.name", name)}
	if kind > KindConflict {
		attributes = append(attributes, attribute.String("error.type", kind.String()))
	}

	made := metric.WithAttributeSet(attribute.NewSet(attributes...))
	o.series.Store(key, made)
	return made
}

// watchPool exports the figures of a pool.
func (o *observer) watchPool(meter metric.Meter, name string, pool *sql.DB) error {
	count, err := meter.Int64ObservableGauge("db.client.connection.count", metric.WithUnit("{connection}"),
		metric.WithDescription("Connections in the pool, by state."))
	if err != nil {
		return err
	}

	limit, err := meter.Int64ObservableGauge("db.client.connection.max", metric.WithUnit("{connection}"),
		metric.WithDescription("Maximum number of connections in the pool."))
	if err != nil {
		return err
	}

	waits, err := meter.Int64ObservableCounter("db.client.connection.waits", metric.WithUnit("{wait}"),
		metric.WithDescription("Calls that waited for a connection."))
	if err != nil {
		return err
	}

	waited, err := meter.Float64ObservableCounter("db.client.connection.wait_time", metric.WithUnit("s"),
		metric.WithDescription("Total time that calls waited for a connection."))
	if err != nil {
		return err
	}

	of := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(more, o.system,
			attribute.String("db.client.connection.pool.name", name))...))
	}
	all, used, idle := of(), of(attribute.String("db.client.connection.state",
		"used")), of(attribute.String("db.client.connection.state", "idle"))
	registration, err := meter.RegisterCallback(func(_ context.Context, observe metric.Observer) error {
		stats := pool.Stats()
		observe.ObserveInt64(count, int64(stats.InUse), used)
		observe.ObserveInt64(count, int64(stats.Idle), idle)
		observe.ObserveInt64(limit, int64(stats.MaxOpenConnections), all)
		observe.ObserveInt64(waits, stats.WaitCount, all)
		observe.ObserveFloat64(waited, stats.WaitDuration.Seconds(), all)
		return nil
	}, count, limit, waits, waited)
	if err != nil {
		return err
	}

	o.watched = append(o.watched, registration)
	return nil
}

func (o *observer) close() error {
	for _, registration := range o.watched {
		if err := registration.Unregister(); err != nil {
			return err
		}
	}
	return nil
}
