package limits

import (
	"context"
	"fmt"
	"time"
)

// giveBackTimeout bounds the writes for a request that was cancelled or timed out.
const giveBackTimeout = 10 * time.Second

// GiveBack returns to a store the claims that turned out not to be failures. It works even if ctx
// is done, because the attempts would count against their key otherwise.
func GiveBack(
	ctx context.Context, store interface {
		GiveBack(ctx context.Context, taken ...Taken) error
	}, taken []Taken,
) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if err := store.GiveBack(ctx, taken...); err != nil {
		return fmt.Errorf("take the attempt back: %w", err)
	}
	return nil
}
