package app

import (
	"context"
	"time"
)

const (
	expireEvery = 10 * time.Minute
	expireBatch = 200
	// keepExpired is how long a session's row outlives it: grants look at it while
	// their last tokens are alive.
	keepExpired = 7 * 24 * time.Hour
)

// Expire removes sessions long past their end, in small batches, until ctx ends.
// Replicas skip each other's rows. A failure waits for the next round.
func (a *App) Expire(ctx context.Context) error {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	for {
		if err := a.expireAll(ctx); err != nil && ctx.Err() == nil {
			a.Logger.WarnContext(ctx, "expired sessions were not removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (a *App) expireAll(ctx context.Context) error {
	for {
		n, err := a.Expiry.DeleteExpired(ctx, a.Now().Add(-keepExpired), expireBatch)
		if err != nil || n < expireBatch {
			return err
		}
	}
}
