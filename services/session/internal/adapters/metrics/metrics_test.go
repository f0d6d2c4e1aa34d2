package metrics_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

func TestAttemptsAreCountedByOutcomeAndWhatWaitsIsMeasured(t *testing.T) {
	reader := sdk.NewManualReader()
	now, away := time.Unix(1000, 0), error(nil)
	held := ports.OutboxState{Waiting: 3, Oldest: now.Add(-time.Minute), Undelivered: 2}
	b, err := metrics.NewBackchannel(sdk.NewMeterProvider(sdk.WithReader(reader)),
		func(context.Context) (ports.OutboxState, error) { return held, away }, func() time.Time { return now })
	require.NoError(t, err)

	for i, outcome := range ports.LogoutOutcomes {
		for range i + 1 {
			b.Attempted(t.Context(), outcome)
		}
	}

	collect := func() (counted map[string]int64, gauges map[string]float64, err error) {
		var rm metricdata.ResourceMetrics
		err = reader.Collect(t.Context(), &rm)
		counted, gauges = map[string]int64{}, map[string]float64{}
		for _, m := range rm.ScopeMetrics[0].Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				require.Equal(t, "platform.session.backchannel.attempts", m.Name)
				for _, point := range data.DataPoints {
					outcome, _ := point.Attributes.Value("outcome")
					counted[outcome.AsString()] = point.Value
				}
			case metricdata.Gauge[int64]:
				for _, point := range data.DataPoints {
					gauges[m.Name] = float64(point.Value)
				}
			case metricdata.Gauge[float64]:
				for _, point := range data.DataPoints {
					gauges[m.Name] = point.Value
				}
			}
		}

		return counted, gauges, err
	}

	counted, gauges, err := collect()
	require.NoError(t, err)
	require.Equal(t, map[string]int64{
		"delivered":   1,
		"rejected":    2,
		"unreachable": 3,
		"refused":     4,
		"unsigned":    5,
		"obsolete":    6,
	}, counted)

	require.Equal(t, map[string]float64{
		"platform.session.backchannel.waiting": 3, "platform.session.backchannel.oldest_age": 60,
		"platform.session.backchannel.undelivered": 2,
	}, gauges)
	held = ports.OutboxState{}
	_, gauges, err = collect()
	require.NoError(t, err)
	require.Zero(t, gauges["platform.session.backchannel.oldest_age"], "there is none")

	away = errors.New("the database is away")
	_, gauges, err = collect()
	require.NoError(t, err, "all other metrics are exported")
	require.Empty(t, gauges)
}

// trail takes events, and is away when it is told to be.
type trail struct {
	told []audit.Kind
	away error
}

func (t *trail) Record(_ context.Context, e audit.Event) error {
	t.told = append(t.told, e.Kind)
	return t.away
}

func TestSignInsAreCountedByResultWhetherOrNotTheTrailCanBeWritten(t *testing.T) {
	reader := sdk.NewManualReader()
	told := &trail{away: errors.New("the database is away")}
	s, err := metrics.NewSignIns(sdk.NewMeterProvider(sdk.WithReader(reader)), told)
	require.NoError(t, err)
	kinds := []audit.Kind{audit.SignedIn, audit.SignInFailed, audit.SignInFailed, audit.SignInBlocked, audit.SignedOut}
	for _, kind := range kinds {
		require.ErrorIs(t, s.Record(t.Context(), audit.Event{Kind: kind}), told.away)
	}

	require.Equal(t, kinds, told.told, "the trail hears of everything")
	var rm metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &rm))
	counted := map[string]int64{}
	for _, point := range rm.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
		result, _ := point.Attributes.Value("result")
		counted[result.AsString()] = point.Value
	}

	require.Equal(t, map[string]int64{"signed_in": 1, "failed": 2, "blocked": 1}, counted)
}
