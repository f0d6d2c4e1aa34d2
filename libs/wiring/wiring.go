package wiring

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// Kit makes the parts of one service from its dependencies.
type Kit struct {
	servicekit.Deps
	// Name is the service's name, by which the audit trail, metrics and errors know it.
	Name string
}

// Build completes deps and builds the named service with them. Errors begin with the name.
func Build(
	name string, deps servicekit.Deps, build func(k *Kit) (*servicekit.Service, error),
) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	service, err := build(&Kit{Deps: deps, Name: name})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	return service, nil
}

// Task is work in the background, until ctx ends.
type Task = func(ctx context.Context) error

// Together returns a task that runs all the given ones. If one fails, it ends the others and
// returns the first error.
func Together(tasks ...Task) Task {
	return func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, task := range tasks {
			group.Go(func() error { return task(ctx) })
		}

		return group.Wait()
	}
}

// Sweep returns the task of removing expired rows, see [servicekit.Sweep].
func (k *Kit) Sweep(what string, remove func(ctx context.Context, now time.Time, batch int) (int, error)) Task {
	return func(ctx context.Context) error { return servicekit.Sweep(ctx, k.Deps, what, remove) }
}

// Regularly returns a task that is done in small portions, see [servicekit.Regularly].
func (k *Kit) Regularly(
	failed, what string, work func(ctx context.Context, now time.Time, batch int) (int, error),
) Task {
	return func(ctx context.Context) error { return servicekit.Regularly(ctx, k.Deps, failed, what, work) }
}
