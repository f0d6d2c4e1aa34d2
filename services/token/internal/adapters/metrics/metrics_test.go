package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/adapters/metrics"
)

func TestTokensAreCountedByGrantAndOutcome(t *testing.T) {
	reader := sdk.NewManualReader()
	c, err := metrics.New(sdk.NewMeterProvider(sdk.WithReader(reader)))
	require.NoError(t, err)
	c.Answered(t.Context(), oauth.GrantAuthorizationCode, "")
	c.Answered(t.Context(), oauth.GrantAuthorizationCode, "")
	c.Answered(t.Context(), oauth.GrantDeviceCode, oauth.SlowDown)
	c.Answered(t.Context(), "", oauth.UnsupportedGrantType)

	var got metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &got))
	require.Len(t, got.ScopeMetrics, 1)
	require.Len(t, got.ScopeMetrics[0].Metrics, 1)
	counts := map[string]int64{}
	for _, point := range got.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
		grant, _ := point.Attributes.Value(attribute.Key("grant"))
		outcome, _ := point.Attributes.Value(attribute.Key("outcome"))
		counts[grant.AsString()+" "+outcome.AsString()] = point.Value
	}

	require.Equal(t, map[string]int64{
		"authorization_code issued": 2, "device_code slow_down": 1, "unsupported unsupported_grant_type": 1,
	}, counts)
}

func TestCountingAllocatesNothing(t *testing.T) {
	c, err := metrics.New(noop.NewMeterProvider())
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { c.Answered(t.Context(), oauth.GrantClientCredentials, "") }))
}
