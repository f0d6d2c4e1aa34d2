package servicekit

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
	// sweepRest is how long a sweep rests between two batches at least; it rests as
	// long as a batch takes, so that a backlog never has more than half of what the
	// database can do.
	sweepRest = 10 * time.Millisecond
)

// Sweep removes what has expired, in small batches, until ctx ends: every owner
// of a table sweeps it, and they do not wait for each other. remove deletes at
// most batch rows of each of its tables that are over at the given time and says
// how many it was, as the stores' DeleteExpired do. A failure is logged with what
// was swept, and tried again about a minute later: each time a little sooner or
// later, so that replicas which started together do not go on so.
func Sweep(
	ctx context.Context, deps Deps, what string,
	remove func(ctx context.Context, now time.Time, batch int) (int, error),
) error {
	return Regularly(ctx, deps, "could not remove what has expired", what, remove)
}

// Regularly is Sweep for other work that is done in small portions; failed is what
// the log says of a failure.
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
