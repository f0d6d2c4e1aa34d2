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

// Task is the service's background task. Keeper, Publisher and Logger are required.
type Task struct {
	Keeper    *Keeper
	Publisher *Publisher
	Logger    *slog.Logger
	// Wished triggers the keeper when it receives, because an operator or an application wants
	// something or another replica created a key. If nil, the keeper only polls.
	Wished <-chan struct{}
	// Changed triggers the publisher when it receives, because a key was created or revoked. If
	// nil, the publisher only polls.
	Changed <-chan struct{}
}

// Run keeps the keys and the documents up to date until ctx is done, and then returns nil.
// Keeper and publisher poll separately, so that keys created by other replicas are
// published and revoked ones removed however long the backend takes to create a key.
func (t *Task) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { t.repeat(ctx, "signing keys are up to date", t.Wished, t.Tick) })
	both.Go(func() { t.repeat(ctx, "the key set is up to date", t.Changed, t.Publisher.Refresh) })
	both.Wait()
	return nil
}

// Tick runs the keeper and then the publisher once. A replica that can't create keys still
// publishes the ones that others created.
func (t *Task) Tick(ctx context.Context) error {
	err := t.Keeper.Ensure(ctx)
	// If nothing is published yet, the keeper's error, if any, is the reason.
	if refresh := t.Publisher.Refresh(ctx); !errors.Is(refresh, signing.ErrNoKey) {
		err = errors.Join(err, refresh)
	}
	return err
}

// repeat calls look, which brings about the state, repeatedly until ctx is done. After a
// failure it retries, soon at first and then less often, and logs the failure once.
func (t *Task) repeat(
	ctx context.Context, state string, changed <-chan struct{}, look func(context.Context) error,
) {
	pause := t.Keeper.Policy.Pause()
	failures, said := 0, false
	for {
		err := inTime(ctx, look)

		if ctx.Err() != nil {
			return // stopping isn't a failure
		}

		wait := pause
		switch {
		case err != nil:
			if !said && !errors.Is(err, signing.ErrNoKey) { // having no key yet isn't a failure
				said = true
				t.Logger.ErrorContext(ctx, "can't ensure that "+state+"; retrying", slog.Any("error", err))
			}
			wait = min(max(pause, lastRetry), firstRetry<<min(failures, 16))
			failures++
		case said:
			t.Logger.InfoContext(ctx, "recovered: "+state, slog.Int("failures", failures))
			failures, said = 0, false
		default:
			failures = 0
		}

		// Jitter spreads replicas that were started together or failed together.
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
