package cachestats

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const scopeName = "github.com/platform-oauth/platform-oauth/libs/cachestats"

// Of identifies the cache that the figures belong to.
type Of struct {
	// Cache names what is cached, such as "applications".
	Cache string
	// Component is the service that owns the cache, since several services may share a process.
	Component string
	// MeterProvider exports the figures; if nil, they aren't exported.
	MeterProvider metric.MeterProvider
}

// Stats holds the figures of one cache. The zero value is ready to use.
type Stats struct{ hits, misses, failures atomic.Int64 }

// Hit counts a look-up answered by the cache.
func (s *Stats) Hit() { s.hits.Add(1) }

// Miss counts a look-up that had to wait for the source.
func (s *Stats) Miss() { s.misses.Add(1) }

// Failed counts a load that the source failed to answer.
func (s *Stats) Failed() { s.failures.Add(1) }

// Export makes the figures metrics: platform.cache.lookups by result,
// platform.cache.load_failures, and platform.cache.entries, whose value entries returns.
func (s *Stats) Export(of Of, entries func() int) {
	if of.MeterProvider == nil {
		return
	}
	if err := s.export(of, entries); err != nil {
		otel.Handle(err) // happens only for names that OpenTelemetry does not allow
	}
}

func (s *Stats) export(of Of, entries func() int) error {
	meter := of.MeterProvider.Meter(scopeName)
	lookups, err := meter.Int64ObservableCounter("platform.cache.lookups", metric.WithUnit("{lookup}"),
		metric.WithDescription("Cache lookups, by result (hit, or miss if the source was queried)."))
	if err != nil {
		return err
	}

	failures, err := meter.Int64ObservableCounter("platform.cache.load_failures", metric.WithUnit("{load}"),
		metric.WithDescription("Failed loads of cache entries; known entries are served for a while."))
	if err != nil {
		return err
	}

	size, err := meter.Int64ObservableGauge("platform.cache.entries", metric.WithUnit("{entry}"),
		metric.WithDescription("Entries in a cache."))
	if err != nil {
		return err
	}

	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(more, attribute.String("cache", of.Cache),
			attribute.String("component", of.Component))...))
	}
	all, hit, miss := with(), with(attribute.String("result", "hit")), with(attribute.String("result", "miss"))
	_, err = meter.RegisterCallback(func(_ context.Context, observe metric.Observer) error {
		observe.ObserveInt64(lookups, s.hits.Load(), hit)
		observe.ObserveInt64(lookups, s.misses.Load(), miss)
		observe.ObserveInt64(failures, s.failures.Load(), all)
		observe.ObserveInt64(size, int64(entries()), all)
		return nil
	}, lookups, failures, size)

	return err
}
