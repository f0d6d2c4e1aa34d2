package servicekit

import (
	"context"
	"time"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
)

// Sweep removes what has expired, in small batches, until ctx ends: every owner
// of a table sweeps it, and they do not wait for each other. remove deletes at
// most batch rows that are over at the given time and says how many it was, as the
// stores' DeleteExpired do. A failure is logged with what was swept, and tried
// again a minute later.
func Sweep(ctx context.Context, deps Deps, what string, remove func(ctx context.Context, now time.Time, batch int) (int, error)) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		n, err := remove(ctx, deps.Now(), sweepBatch)
		if err != nil && ctx.Err() == nil {
			deps.Logger.WarnContext(ctx, "could not remove what has expired", "of", what, "error", err)
		}
		if err == nil && n >= sweepBatch {
			continue
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}
