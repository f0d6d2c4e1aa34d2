package servicekit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASweepGoesOnWhileThereIsMoreAndOutlivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		deps := Deps{Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		start, at := time.Now(), []time.Duration(nil)
		results := []struct {
			n   int
			err error
		}{{sweepBatch, nil}, {sweepBatch, nil}, {3, nil}, {0, errors.New("the database is away")}, {0, nil}}
		done := make(chan error, 1)
		go func() {
			done <- Sweep(ctx, deps, "limits", func(_ context.Context, now time.Time, batch int) (int, error) {
				require.Equal(t, sweepBatch, batch)
				at = append(at, now.Sub(start))
				result := results[len(at)-1]
				if len(at) == len(results) {
					cancel()
				}
				return result.n, result.err
			})
		}()

		require.NoError(t, <-done, "being stopped isn't a failure")
		require.Equal(t, []time.Duration{0, sweepRest, 2 * sweepRest}, at[:3], "it rests even while there is more")

		for i := 3; i < len(at); i++ {
			require.InDelta(t, time.Minute, at[i]-at[i-1], float64(15*time.Second), "about a minute")
		}

		require.Contains(t, log.String(),
			`msg="can't remove expired rows" of=limits error="the database is away"`)
	})
}
