package e2e

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/bench/load"
)

// TestARollingRestartOfEveryServiceLosesNoRequest replaces one replica of each
// service and then the other, while people sign in and applications ask for
// everything.
func TestARollingRestartOfEveryServiceLosesNoRequest(t *testing.T) {
	replicas := map[string]int{}
	for _, service := range services {
		replicas[service] = 2
	}

	s := deploy(t,
		fleet{replicas: replicas, env: []string{"PLATFORM_HTTP_DRAIN_DELAY=1s", "PLATFORM_LIMIT_FLOWS=1000000"}})
	target := load.Target{
		URL:          s.Origin,
		ClientID:     "portal",
		ClientSecret: secrets["portal"],
		RedirectURI:  portalCallback,
		Resource:     billingAPI,
		Scope:        "openid offline_access api:read",
		Email:        "ada@acme.test",
		Password:     password,
		Transport:    &http.Transport{MaxIdleConnsPerHost: 16},
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	results := map[string]load.Result{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for name := range load.Scenarios {
		workers, err := load.Workers(ctx, name, target, 1)
		require.NoError(t, err)
		step := workers[0]
		workers[0] = func(ctx context.Context) error { // leaves the machine to the restarts
			timer := time.NewTimer(20 * time.Millisecond)
			defer timer.Stop()
			<-timer.C
			return step(ctx)
		}

		running.Go(func() {
			result := load.Run(ctx, workers)
			mu.Lock()
			defer mu.Unlock()
			results[name] = result
		})
	}

	for _, replica := range []string{"", "-2"} {
		before := map[string]*process{}
		for _, service := range services {
			before[service] = s.procs[service+replica]
			before[service].terminate(t)
		}

		for _, service := range services {
			before[service].waitForEnd(t)
			s.launchOne(t, service+replica)
		}

		for _, service := range services {
			s.procs[service+replica].waitFor(t, s.admin[service+replica], "/readyz")
			require.NotSame(t, before[service], s.procs[service+replica])
		}

		s.settle(t)
	}

	stop()
	running.Wait()

	for name, result := range results {
		require.Zero(t, result.Errors, "%s: %s", name, result.FirstError)
		require.Positive(t, result.Requests, name)
	}
}

// settle waits until the ingress knows that every replica is ready again.
func (s *system) settle(t *testing.T) {
	t.Helper()

	for _, b := range s.balancers {
		require.Eventually(t, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, replica := range b.replicas {
				if !b.known[replica].ready {
					return false
				}
			}
			return true
		}, 2*time.Minute, 10*time.Millisecond)
	}
}
