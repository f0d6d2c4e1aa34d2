package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rounds answers DeleteExpired with one number after the other.
type rounds struct {
	left   []int
	before []time.Time
	done   func()
}

func (r *rounds) DeleteExpired(_ context.Context, before time.Time, batch int) (int, error) {
	r.before = append(r.before, before)
	if len(r.left) == 0 {
		r.done()
		return 0, errors.New("the database is away")
	}
	n := r.left[0]
	r.left = r.left[1:]
	return min(n, batch), nil
}

func TestExpiryGoesOnUntilABatchIsNotFullAndStopsWithItsContext(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithCancel(t.Context())
	r := &rounds{left: []int{expireBatch, expireBatch}, done: cancel}
	a := &App{Expiry: r, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)}
	require.NoError(t, a.Expire(ctx))
	require.Len(t, r.before, 3)
	require.Equal(t, now.Add(-7*24*time.Hour), r.before[0], "grants still look at it")
}
