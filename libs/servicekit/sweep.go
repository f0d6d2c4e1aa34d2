package servicekit

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
	// sweepRest is the shortest pause of a sweep between two batches. The pause is as long as
	// the batch took, so that a backlog never uses more than half of the database's capacity.
	sweepRest = 10 * time.Millisecond
)

// Sweep removes expired rows in small batches until ctx ends. Every owner of a table sweeps it,
// without waiting for the others. remove deletes, from each of its tables, at most batch rows
// that have expired at the given time and returns how many, as the stores' DeleteExpired do. A
// failure is logged with what was being swept, and retried about a minute later, at a slightly
// random time so that replicas that started together don't stay in step.
func Sweep(
	ctx context.Context, deps Deps, what string,
	remove func(ctx context.Context, now time.Time, batch int) (int, error),
) error {
	return Regularly(ctx, deps, "can't remove expired rows", what, remove)
}

// Regularly is Sweep for other work that is done in small portions. failed is the log message
// for a failure.
func Regularly(
	ctx context.Context, deps Deps, failed, what string,
	work func(ctx context.Context, now time.Time, batch int) (int, error),
) error {
	for ctx.Err() == nil {
		began := time.Now()
		n, err := work(ctx, deps.Now(), sweepBatch)
		if err != nil && ctx.Err() == nil {
			deps.Logger.WarnContext(ctx, failed, "of", what, "error", err)
		}

		pause := sweepEvery*3/4 + rand.N(sweepEvery/2) //nolint:gosec // no secret
		if err == nil && n >= sweepBatch {
			pause = max(sweepRest, time.Since(began))
		}

		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}

	return nil
}
