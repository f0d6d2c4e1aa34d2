package vaulttransit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const scope = "github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"

// telemetry holds the instruments. Attribute sets are created once, so that counting allocates
// nothing.
type telemetry struct {
	tracer     trace.Tracer
	size       metric.Int64Histogram
	wait       metric.Float64Histogram
	signatures metric.Int64Counter
	measured   map[signing.Algorithm]metric.MeasurementOption
	counted    map[outcome][]metric.AddOption
	observing  metric.Registration
}

type outcome struct {
	alg    signing.Algorithm
	reason string
}

// outcomes are the values of the outcome attribute.
var outcomes = []Reason{
	"signed", "canceled", Denied, Sealed, MissingKey, BadVersion, Unreachable, Fault, Refused, LoggedOut,
	QueueFull, BreakerOpen, Closed,
}

func newTelemetry(tp trace.TracerProvider, mp metric.MeterProvider, e *Engine) (*telemetry, error) {
	t := &telemetry{
		tracer:   tp.Tracer(scope),
		measured: map[signing.Algorithm]metric.MeasurementOption{},
		counted:  map[outcome][]metric.AddOption{},
	}
	for alg := range keyTypes {
		of := attribute.String("algorithm", string(alg))
		t.measured[alg] = metric.WithAttributeSet(attribute.NewSet(of))
		for _, reason := range outcomes {
			set := attribute.NewSet(of, attribute.String("outcome", string(reason)))
			t.counted[outcome{alg, string(reason)}] = []metric.AddOption{metric.WithAttributeSet(set)}
		}
	}

	if err := t.instruments(mp.Meter(scope), e); err != nil {
		return nil, fmt.Errorf("vault transit: make the instruments: %w", err)
	}

	return t, nil
}

func (t *telemetry) instruments(meter metric.Meter, e *Engine) error {
	var errs [6]error
	t.size, errs[0] = meter.Int64Histogram("platform.signing.vault.batch.size",
		metric.WithUnit("{signature}"), metric.WithDescription("Signatures per request to Vault."),
		metric.WithExplicitBucketBoundaries(1, 2, 4, 8, 16, 32, 64, 128))
	t.wait, errs[1] = meter.Float64Histogram("platform.signing.vault.wait.duration",
		metric.WithUnit("s"), metric.WithDescription("Time that signatures waited for a free slot."),
		metric.WithExplicitBucketBoundaries(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
			0.05, 0.1, 0.25, 0.5, 1, 2.5))
	t.signatures, errs[2] = meter.Int64Counter("platform.signing.vault.signatures",
		metric.WithUnit("{signature}"),
		metric.WithDescription("Signatures requested from Vault, by algorithm and outcome (signed, or the reason of the failure)."))
	depth, err := meter.Int64ObservableGauge("platform.signing.vault.queue.depth",
		metric.WithUnit("{signature}"), metric.WithDescription("Signatures waiting for a free slot."))
	errs[3] = err
	state, err := meter.Int64ObservableGauge("platform.signing.vault.breaker.state",
		metric.WithDescription("State of the circuit breaker: 0 closed, 1 half-open, 2 open."))
	errs[4] = err

	if err := errors.Join(errs[:]...); err != nil {
		return err
	}

	t.observing, errs[5] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(state, int64(e.breaker.State()))
		waiting := make(map[signing.Algorithm]int, len(keyTypes))
		for _, q := range []*queue{e.rsa, e.ec} {
			for v, n := range q.depth() {
				waiting[v.alg] += n
			}
		}

		for alg, set := range t.measured {
			o.ObserveInt64(depth, int64(waiting[alg]), set)
		}

		return nil
	}, depth, state)

	return errs[5]
}

func (t *telemetry) close() error { return t.observing.Unregister() }

// begin starts the span of a request and measures the batch. The span belongs to the trace of a
// sampled caller, if there is one, and is linked to those of the others.
func (t *telemetry) begin(
	ctx context.Context, v version, batch []*item, now time.Time,
) (context.Context, func([]*item, error)) {
	for _, i := range batch {
		t.wait.Record(ctx, now.Sub(i.since).Seconds(), t.measured[v.alg])
	}

	t.size.Record(ctx, int64(len(batch)), t.measured[v.alg])
	options := []trace.SpanStartOption{trace.WithAttributes(
		attribute.String("platform.signing.algorithm", string(v.alg)),
		attribute.Int("platform.signing.batch.size", len(batch)),
	)}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		parent := parentOf(batch)
		ctx = trace.ContextWithSpanContext(ctx, parent)
		for _, i := range batch {
			if i.caller.IsValid() && !i.caller.Equal(parent) {
				options = append(options, trace.WithLinks(trace.Link{SpanContext: i.caller}))
			}
		}
	}

	ctx, span := t.tracer.Start(ctx, "vault sign", options...)
	return ctx, func(batch []*item, err error) {
		for _, i := range batch {
			t.count(ctx, v.alg, i.err)
		}
		if err != nil {
			span.SetStatus(codes.Error, reasonFor(err))
		}

		span.End()
	}
}

// parentOf returns the span context of the first caller whose trace is sampled, or of the first
// caller.
func parentOf(batch []*item) trace.SpanContext {
	for _, i := range batch {
		if i.caller.IsSampled() {
			return i.caller
		}
	}
	return batch[0].caller
}

// refused counts a signature request that was never sent.
func (t *telemetry) refused(ctx context.Context, alg signing.Algorithm, err error) {
	t.count(ctx, alg, err)
}

func (t *telemetry) count(ctx context.Context, alg signing.Algorithm, err error) {
	t.signatures.Add(ctx, 1, t.counted[outcome{alg, reasonFor(err)}]...)
}

func reasonFor(err error) string {
	var known *Error
	switch {
	case err == nil:
		return "signed"
	case errors.As(err, &known):
		return string(known.Reason)
	default:
		return "canceled"
	}
}
