// Package metrics counts sign-ins and back-channel logouts with OpenTelemetry.
package metrics

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

const scopeName = "github.com/platform-oauth/platform-oauth/services/session"

var _ ports.LogoutObserver = (*Backchannel)(nil)

// Backchannel implements the counter platform.session.backchannel.attempts and the gauges
// platform.session.backchannel.waiting, .oldest_age and .undelivered.
type Backchannel struct {
	attempts metric.Int64Counter
	sets     map[ports.LogoutOutcome][]metric.AddOption
}

// NewBackchannel creates the instruments. It calls state whenever the gauges are read, and
// now for the current time.
func NewBackchannel(
	provider metric.MeterProvider, state func(ctx context.Context) (ports.OutboxState, error), now func() time.Time,
) (*Backchannel, error) {
	meter := provider.Meter(scopeName)
	attempts, err := meter.Int64Counter("platform.session.backchannel.attempts",
		metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to deliver a back-channel logout, by outcome."))
	if err != nil {
		return nil, fmt.Errorf("make the counter of back-channel logouts: %w", err)
	}

	if err := watchOutbox(meter, state, now); err != nil {
		return nil, fmt.Errorf("make the gauges of back-channel logouts: %w", err)
	}

	b := &Backchannel{attempts: attempts, sets: map[ports.LogoutOutcome][]metric.AddOption{}}
	for _, outcome := range ports.LogoutOutcomes {
		b.sets[outcome] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome",
			string(outcome))))}
	}

	return b, nil
}

func watchOutbox(
	meter metric.Meter, state func(ctx context.Context) (ports.OutboxState, error), now func() time.Time,
) error {
	waiting, err := meter.Int64ObservableGauge("platform.session.backchannel.waiting", metric.WithUnit("{notice}"),
		metric.WithDescription("Back-channel logouts waiting for delivery, across all replicas."))
	if err != nil {
		return err
	}

	oldest, err := meter.Float64ObservableGauge("platform.session.backchannel.oldest_age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest back-channel logout waiting for delivery, or 0."))
	if err != nil {
		return err
	}

	undelivered, err := meter.Int64ObservableGauge("platform.session.backchannel.undelivered",
		metric.WithUnit("{notice}"),
		metric.WithDescription("Back-channel logouts given up within the last week, across all replicas."))
	if err != nil {
		return err
	}

	_, err = meter.RegisterCallback(func(ctx context.Context, observe metric.Observer) error {
		held, err := state(ctx)
		if err != nil {
			// The gauges are missing while the database is unavailable or closed. Returning an
			// error would keep every other metric from being exported too.
			return nil //nolint:nilerr // the failed statement is a metric itself
		}

		age := 0.0
		if !held.Oldest.IsZero() {
			age = max(0, now().Sub(held.Oldest).Seconds())
		}

		observe.ObserveInt64(waiting, int64(held.Waiting))
		observe.ObserveFloat64(oldest, age)
		observe.ObserveInt64(undelivered, int64(held.Undelivered))
		return nil
	}, waiting, oldest, undelivered)

	return err
}

// Attempted implements ports.LogoutObserver.
func (b *Backchannel) Attempted(ctx context.Context, outcome ports.LogoutOutcome) {
	b.attempts.Add(ctx, 1, b.sets[outcome]...)
}
