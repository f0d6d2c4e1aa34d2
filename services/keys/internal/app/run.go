package app

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	firstRetry  = 250 * time.Millisecond
	lastRetry   = 15 * time.Second
	tickTimeout = 30 * time.Second
)

// Task is the service's background task. All fields but Changed are required.
type Task struct {
	Keeper    *Keeper
	Publisher *Publisher
	Logger    *slog.Logger
	// Changed has it look at once when it receives: another replica made a key, one
	// was revoked, or an application asks for another algorithm. Nil: never.
	Changed <-chan struct{}
}

// Run keeps the keys and the documents up to date until ctx ends, which is no
// error. A failure is tried again, sooner first and then less often, and said
// once.
func (t *Task) Run(ctx context.Context) error {
	pause := t.Keeper.Policy.Pause()
	failures := 0
	for {
		err := t.tick(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of the process is no failure
		}
		wait := pause - rand.N(pause/10+1) // replicas that were started together drift apart
		switch {
		case err != nil:
			if failures == 0 {
				t.Logger.ErrorContext(ctx, "signing keys cannot be kept up to date, trying again", slog.Any("error", err))
			}
			wait = min(pause, lastRetry, firstRetry<<min(failures, 16))
			failures++
		case failures > 0:
			t.Logger.InfoContext(ctx, "signing keys are up to date again", slog.Int("failures", failures))
			failures = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-t.Changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// tick does both parts: a replica that cannot make keys still publishes those
// that others made.
func (t *Task) tick(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tickTimeout)
	defer cancel()
	return errors.Join(t.Keeper.Ensure(ctx), t.Publisher.Refresh(ctx))
}
