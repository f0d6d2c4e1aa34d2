package database

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
)

const (
	mostTries = 3
	// againPause bounds the wait before a retry, so that transactions that conflicted don't
	// conflict again.
	againPause = 20 * time.Millisecond
)

// repeated runs a statement of a DB.
func repeated(ctx context.Context, query string, f func() error) error {
	return again(ctx,
		func(err error) bool { return takenBack(err) || (errors.Is(err, pqguard.ErrLost) && readsOnly(query)) }, f)
}

// once runs a statement of a Tx, which ends if a statement fails.
func once(_ context.Context, _ string, f func() error) error { return f() }

// again runs f until it succeeds, fails with an error for which safe is false, or has used up
// its attempts.
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

// takenBack reports whether the server rolled everything back and asks for a retry:
// serialization_failure and deadlock_detected.
func takenBack(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// readsOnly reports whether a statement certainly writes nothing. One that starts with WITH
// might write.
func readsOnly(query string) bool {
	query = strings.TrimSpace(query)
	const verb = "SELECT"
	return len(query) > len(verb) && strings.EqualFold(query[:len(verb)], verb)
}
