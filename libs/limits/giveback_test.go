package limits_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// counts keeps what was given back, as long as the call may still write.
type counts struct {
	back []limits.Taken
	err  error
}

func (c *counts) GiveBack(ctx context.Context, taken ...limits.Taken) error {
	c.back = append(c.back, taken...)
	return errors.Join(ctx.Err(), c.err)
}

func TestAnAttemptIsGivenBackEvenIfTheCallerHasGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	store := &counts{}
	taken := []limits.Taken{{Key: limits.Key("a"), Failures: 1}, {Key: limits.Key("b"), Failures: 2}}
	require.NoError(t, limits.GiveBack(ctx, store, taken))
	require.Equal(t, taken, store.back)

	away := errors.New("away")
	require.ErrorIs(t, limits.GiveBack(t.Context(), &counts{err: away}, taken), away)
}
