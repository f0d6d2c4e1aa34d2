package sqlstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// many is how many goroutines want the same thing at once.
const many = 50

var later = start.Add(time.Hour)

// webApplication may have secrets.
func webApplication(clientID string) *directory.Application {
	app := bareApplication(clientID)
	app.Type = directory.Web
	return app
}

// requireApplication compares; PostgreSQL lays out JSON as it likes.
func requireApplication(t *testing.T, want, got *directory.Application) {
	t.Helper()
	expected, actual := *want, *got
	if expected.JWKS != nil {
		require.JSONEq(t, string(expected.JWKS), string(actual.JWKS))
		expected.JWKS, actual.JWKS = nil, nil
	}

	require.Equal(t, expected, actual)
}

// first runs steps until one fails: after an error PostgreSQL takes no more
// statements in a transaction.
func first(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// value reads one value that no method of the stores shows.
func value[T any](t *testing.T, db *database.DB, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.Get(t.Context(), "test.value", &v, query, args...))
	return v
}

// together runs f in many goroutines that start at once, and returns their
// errors.
func together(f func(i int) error) []error {
	errs := make([]error, many)
	gate := make(chan struct{})
	var done sync.WaitGroup
	for i := range errs {
		done.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}

	close(gate)
	done.Wait()
	return errs
}
