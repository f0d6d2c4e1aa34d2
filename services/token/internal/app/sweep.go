package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
)

// Sweep removes what no token needs any more, in small batches, until ctx ends.
func Sweep(ctx context.Context, rows ports.Sweeper, now func() time.Time, logger *slog.Logger) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := sweepOnce(ctx, rows, now()); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "could not remove what has expired", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func sweepOnce(ctx context.Context, rows ports.Sweeper, now time.Time) error {
	for {
		n, err := rows.DeleteExpired(ctx, now, sweepBatch)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}
