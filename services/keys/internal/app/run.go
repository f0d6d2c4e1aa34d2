package app

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const (
	firstRetry  = 250 * time.Millisecond
	lastRetry   = 15 * time.Second
	tickTimeout = 30 * time.Second
)

// Task is the service's background task. Keeper, Publisher and Logger are
// required.
type Task struct {
	Keeper    *Keeper
	Publisher *Publisher
	Logger    *slog.Logger
	// Wished has the keeper look at once when it receives: an operator or an
	// application wants something, or another replica made a key. Nil: never.
	Wished <-chan struct{}
	// Changed has the publisher look at once when it receives: a key was made or
	// revoked. Nil: never.
	Changed <-chan struct{}
}

// Run keeps the keys and the documents up to date until ctx ends, which is no
// error. Both look for themselves: what others made is published, and what was
// revoked is not, however long the backend takes to make a key.
func (t *Task) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { t.repeat(ctx, "signing keys cannot be kept up to date", t.Wished, t.Tick) })
	both.Go(func() { t.repeat(ctx, "the key set cannot be kept up to date", t.Changed, t.Publisher.Refresh) })
	both.Wait()
	return nil
}

// Tick looks once: a replica that cannot make keys still publishes those that
// others made.
func (t *Task) Tick(ctx context.Context) error {
	err := t.Keeper.Ensure(ctx)
	// That nothing is published yet has its reason in the keeper's failure, if any.
	if refresh := t.Publisher.Refresh(ctx); !errors.Is(refresh, signing.ErrNoKey) {
		err = errors.Join(err, refresh)
	}
	return err
}

// repeat does something again and again, until ctx ends. A failure is tried again,
// sooner first and then less often, and said once.
func (t *Task) repeat(
	ctx context.Context, complaint string, changed <-chan struct{}, look func(context.Context) error,
) {
	pause := t.Keeper.Policy.Pause()
	failures, said := 0, false
	for {
		err := inTime(ctx, look)

		if ctx.Err() != nil {
			return // that is no failure
		}

		wait := pause
		switch {
		case err != nil:
			if !said && !errors.Is(err, signing.ErrNoKey) { // that there is none yet is no failure
				said = true
				t.Logger.ErrorContext(ctx, complaint+", trying again", slog.Any("error", err))
			}
			wait = min(max(pause, lastRetry), firstRetry<<min(failures, 16))
			failures++
		case said:
			t.Logger.InfoContext(ctx, "that is over: "+complaint, slog.Int("failures", failures))
			failures, said = 0, false
		default:
			failures = 0
		}

		// Replicas that were started together, or lost the same thing, drift apart.
		timer := time.NewTimer(wait - rand.N(wait/10+1)) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func inTime(ctx context.Context, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tickTimeout)
	defer cancel()
	return look(ctx)
}
