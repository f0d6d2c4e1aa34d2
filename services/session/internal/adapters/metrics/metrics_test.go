package metrics_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

func TestAttemptsAreCountedByOutcomeAndWhatWaitsIsMeasured(t *testing.T) {
	reader := sdk.NewManualReader()
	waiting, away := 3, error(nil)
	b, err := metrics.NewBackchannel(sdk.NewMeterProvider(sdk.WithReader(reader)), func(context.Context) (int, error) { return waiting, away })
	require.NoError(t, err)
	for i, outcome := range ports.LogoutOutcomes {
		for range i + 1 {
			b.Attempted(t.Context(), outcome)
		}
	}
	collect := func() (counted map[string]int64, gauge []int64, err error) {
		var rm metricdata.ResourceMetrics
		err = reader.Collect(t.Context(), &rm)
		counted = map[string]int64{}
		for _, m := range rm.ScopeMetrics[0].Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				require.Equal(t, "platform.session.backchannel.attempts", m.Name)
				for _, point := range data.DataPoints {
					outcome, _ := point.Attributes.Value("outcome")
					counted[outcome.AsString()] = point.Value
				}
			case metricdata.Gauge[int64]:
				require.Equal(t, "platform.session.backchannel.waiting", m.Name)
				for _, point := range data.DataPoints {
					gauge = append(gauge, point.Value)
				}
			}
		}
		return counted, gauge, err
	}
	counted, gauge, err := collect()
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"delivered": 1, "rejected": 2, "unreachable": 3, "refused": 4, "unsigned": 5, "obsolete": 6}, counted)
	require.Equal(t, []int64{3}, gauge)

	away = errors.New("the database is away")
	_, gauge, err = collect()
	require.ErrorContains(t, err, "the database is away")
	require.Empty(t, gauge)
}
