package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/platform-oauth/platform-oauth/services/authorize/internal/ports"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
)

// Sweep removes expired requests and codes in small batches until ctx ends. Codes
// stay for keepCodes after their expiry, so that a replay is recognized as one
// while tokens of it may live (RFC 6749 4.1.2).
func Sweep(ctx context.Context, rows ports.Sweeper, keepCodes time.Duration, now func() time.Time, logger *slog.Logger) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := sweepOnce(ctx, rows, keepCodes, now()); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "could not remove expired authorization requests and codes", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func sweepOnce(ctx context.Context, rows ports.Sweeper, keepCodes time.Duration, now time.Time) error {
	for {
		n, err := rows.DeleteExpired(ctx, now, keepCodes, sweepBatch)
		if err != nil || n == 0 {
			return err
		}
	}
}
