package app

import (
	"context"
	"time"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 500
	// keepCodes is how long a code stays after its expiry, so that a device which
	// polls on hears expired_token and not invalid_grant (RFC 8628 3.5).
	keepCodes = 24 * time.Hour
)

// Sweep removes codes that are long expired, in small batches, until ctx ends.
func (d *Device) Sweep(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := d.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			d.Logger.WarnContext(ctx, "could not remove expired device codes", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (d *Device) sweepOnce(ctx context.Context) error {
	for {
		n, err := d.Codes.DeleteExpired(ctx, d.Now().Add(-keepCodes), sweepBatch)
		if err != nil || n == 0 {
			return err
		}
	}
}
