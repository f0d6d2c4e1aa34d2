package wiring_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
)

func deps(t *testing.T) servicekit.Deps {
	t.Helper()
	return servicekit.Deps{
		DB:     testkit.SQLite(t),
		Logger: testkit.Logger(t),
		Now:    servicekit.Clock,
		Random: rand.Reader,
	}
}

func TestErrorsBeginWithTheServicesName(t *testing.T) {
	never := func(*wiring.Kit) (*servicekit.Service, error) { return nil, errors.New("must not be called") }
	_, err := wiring.Build("token", servicekit.Deps{}, never)
	require.EqualError(t, err, "token: dependencies missing: DB, Logger, Now, Random")

	_, err = wiring.Build("token", deps(t), func(k *wiring.Kit) (*servicekit.Service, error) {
		_, err := k.Signer(config.Signing{})
		return nil, err
	})
	require.EqualError(t, err, "token: dependencies missing: Signing")
}

func TestAServiceIsBuiltWithCompleteDependencies(t *testing.T) {
	built := &servicekit.Service{}
	service, err := wiring.Build("keys", deps(t), func(k *wiring.Kit) (*servicekit.Service, error) {
		require.Equal(t, "keys", k.Name)
		require.NotNil(t, k.MeterProvider)
		require.NotNil(t, k.Trail())
		return built, nil
	})
	require.NoError(t, err)
	require.Same(t, built, service)
}

func TestATaskThatFailsEndsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	err := wiring.Together(
		func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		},
		func(context.Context) error { return broken },
	)(t.Context())
	require.ErrorIs(t, err, broken)
}

func TestASweepRunsUntilItsContextEnds(t *testing.T) {
	k := &wiring.Kit{Deps: deps(t), Name: "token"}
	ctx, cancel := context.WithCancel(t.Context())
	swept := 0

	err := k.Sweep("rows", func(_ context.Context, now time.Time, batch int) (int, error) {
		require.False(t, now.IsZero())
		require.Positive(t, batch)
		swept++
		cancel()
		return 0, nil
	})(ctx)

	require.NoError(t, err)
	require.Equal(t, 1, swept)
}
