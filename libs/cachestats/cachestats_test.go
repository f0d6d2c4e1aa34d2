package cachestats_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/platform-oauth/platform-oauth/libs/cachestats"
)

func TestCachesOfOneProcessAreToldApart(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	var token, device, silent cachestats.Stats
	token.Export(cachestats.Of{Cache: "applications", Component: "token", MeterProvider: provider},
		func() int { return 7 })
	device.Export(cachestats.Of{Cache: "applications", Component: "device", MeterProvider: provider},
		func() int { return 0 })
	silent.Export(cachestats.Of{Cache: "applications", Component: "authorize"}, nil)

	for range 3 {
		token.Hit()
	}

	token.Miss()
	token.Failed()
	device.Miss()
	silent.Miss()

	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	got := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		var points []metricdata.DataPoint[int64]
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			points = data.DataPoints
		case metricdata.Gauge[int64]:
			points = data.DataPoints
		}

		for _, p := range points {
			if p.Value != 0 {
				got[m.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Value
			}
		}
	}

	require.Equal(t, map[string]int64{
		"platform.cache.lookups cache=applications,component=token,result=hit":   3,
		"platform.cache.lookups cache=applications,component=token,result=miss":  1,
		"platform.cache.lookups cache=applications,component=device,result=miss": 1,
		"platform.cache.load_failures cache=applications,component=token":        1,
		"platform.cache.entries cache=applications,component=token":              7,
	}, got)
}
