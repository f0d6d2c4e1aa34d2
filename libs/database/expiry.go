package database

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// expiry counts the rows that [DB.DeleteDue] removes, and reports since when a table may hold
// expired rows.
type expiry struct {
	removed metric.Int64Counter
	mu      sync.Mutex
	done    map[string]caughtUp // by table
}

// caughtUp records when this process last left no expired row in a table.
type caughtUp struct {
	at time.Time
	of metric.MeasurementOption
}

func (o *observer) watchExpiry(meter metric.Meter) error {
	o.expiry.done = map[string]caughtUp{}
	var err error
	o.expiry.removed, err = meter.Int64Counter("platform.expiry.rows",
		metric.WithUnit("{row}"),
		metric.WithDescription("Expired rows removed, by table."))
	if err != nil {
		return err
	}

	since, err := meter.Float64ObservableGauge("platform.expiry.backlog_age", metric.WithUnit("s"),
		metric.WithDescription("Time since this process last removed all expired rows of a table; it grows while there is a backlog."))
	if err != nil {
		return err
	}

	registration, err := meter.RegisterCallback(func(_ context.Context, observe metric.Observer) error {
		o.expiry.mu.Lock()
		defer o.expiry.mu.Unlock()
		for _, done := range o.expiry.done {
			observe.ObserveFloat64(since, time.Since(done.at).Seconds(), done.of)
		}
		return nil
	}, since)
	if err != nil {
		return err
	}

	o.watched = append(o.watched, registration)
	return nil
}

// expired records that n rows were removed in a batch of at most batch. A full batch may have
// left some.
func (o *observer) expired(ctx context.Context, table string, n int64, batch int) {
	o.expiry.mu.Lock()
	defer o.expiry.mu.Unlock()
	done, known := o.expiry.done[table]
	if !known {
		done.at, done.of = time.Now(), metric.WithAttributeSet(attribute.NewSet(o.system,
			attribute.String("db.collection.name", table)))
	}
	if n < int64(batch) {
		done.at = time.Now()
	}

	o.expiry.done[table] = done
	o.expiry.removed.Add(ctx, n, done.of)
}
