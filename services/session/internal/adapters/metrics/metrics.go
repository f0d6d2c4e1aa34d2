// Package metrics counts back-channel logouts with OpenTelemetry.
package metrics

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

const scopeName = "github.com/platform-oauth/platform-oauth/services/session"

var _ ports.LogoutObserver = (*Backchannel)(nil)

// Backchannel is the counter platform.session.backchannel.attempts and the gauge
// platform.session.backchannel.waiting.
type Backchannel struct {
	attempts metric.Int64Counter
	sets     map[ports.LogoutOutcome][]metric.AddOption
}

// NewBackchannel makes the instruments; waiting counts the notices that are to be
// delivered, whenever the gauge is read.
func NewBackchannel(provider metric.MeterProvider, waiting func(ctx context.Context) (int, error)) (*Backchannel, error) {
	meter := provider.Meter(scopeName)
	attempts, err := meter.Int64Counter("platform.session.backchannel.attempts",
		metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to tell an application of a logout, by outcome."))
	if err != nil {
		return nil, fmt.Errorf("make the counter of back-channel logouts: %w", err)
	}
	_, err = meter.Int64ObservableGauge("platform.session.backchannel.waiting",
		metric.WithUnit("{notice}"),
		metric.WithDescription("Notices of logouts to be delivered, of all replicas together."),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			n, err := waiting(ctx)
			if err == nil {
				o.Observe(int64(n))
			}
			return err
		}))
	if err != nil {
		return nil, fmt.Errorf("make the gauge of back-channel logouts: %w", err)
	}
	b := &Backchannel{attempts: attempts, sets: map[ports.LogoutOutcome][]metric.AddOption{}}
	for _, outcome := range ports.LogoutOutcomes {
		b.sets[outcome] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", string(outcome))))}
	}
	return b, nil
}

// Attempted implements ports.LogoutObserver.
func (b *Backchannel) Attempted(ctx context.Context, outcome ports.LogoutOutcome) {
	b.attempts.Add(ctx, 1, b.sets[outcome]...)
}
