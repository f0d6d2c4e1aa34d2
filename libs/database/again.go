package database

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/lib/pq"
)

const (
	mostTries = 3
	// againPause is how long to wait before another try at most, so that those who
	// were in each other's way are not again.
	againPause = 20 * time.Millisecond
)

// repeated is how a DB runs a statement.
func repeated(ctx context.Context, query string, f func() error) error {
	return again(ctx,
		func(err error) bool { return takenBack(err) || (errors.Is(err, errLost) && readsOnly(query)) }, f)
}

// once is how a Tx does: it has ended with the statement.
func once(_ context.Context, _ string, f func() error) error { return f() }

// again runs f until it succeeds, fails otherwise than safe says, or has had its
// tries.
func again(ctx context.Context, safe func(error) bool, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || try == mostTries || !safe(err) {
			return err
		}

		timer := time.NewTimer(rand.N(againPause)) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// takenBack reports whether the server undid everything and asks to try again:
// serialization_failure and deadlock_detected.
func takenBack(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// readsOnly reports whether a statement surely writes nothing. One that starts with
// WITH may.
func readsOnly(query string) bool {
	query = strings.TrimSpace(query)
	const verb = "SELECT"
	return len(query) > len(verb) && strings.EqualFold(query[:len(verb)], verb)
}
