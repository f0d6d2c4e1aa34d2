package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// staleness is the longest time in which every replica promises to see a change.
const staleness = 5 * time.Second

// TestEveryReplicaHearsOfAChangeAtOnce disables and enables applications that all replicas
// have cached.
func TestEveryReplicaHearsOfAChangeAtOnce(t *testing.T) {
	hearsOfChanges(t, deploy(t, fleet{replicas: map[string]int{"token": 2}}), 2*time.Second)
}

// TestBehindPgBouncer checks that changes are notified past a transaction pooler, and
// polled if there is no way past it. All else works through one in every test that runs
// the services apart.
func TestBehindPgBouncer(t *testing.T) {
	t.Run("and beside it to listen", func(t *testing.T) {
		hearsOfChanges(t, deploy(t, fleet{replicas: map[string]int{"token": 2}, pooled: besidePooler}), 2*time.Second)
	})
	t.Run("alone", func(t *testing.T) {
		s := deploy(t, fleet{replicas: map[string]int{"token": 2}, pooled: behindPooler})
		hearsOfChanges(t, s, staleness)
		require.Contains(t, s.procs["token"].out.String(), "PLATFORM_DATABASE_DIRECT_URL must reach",
			"the log says what to do")
	})
}

// hearsOfChanges requires that both token replicas refuse an application within
// the time after it was disabled, and serve it again once it is applied again.
func hearsOfChanges(t *testing.T, s *system, within time.Duration) {
	t.Helper()
	served := func(replica string) bool {
		status, _ := s.at(t, replica, "/oauth/token", url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {"service"},
			"client_secret": {secrets["service"]},
			"resource":      {"https://api.billing.test"},
		}, nil)

		return status == http.StatusOK
	}

	everywhere := func(want bool) {
		t.Helper()
		for _, replica := range []string{"token", "token-2"} {
			require.Eventually(t, func() bool { return served(replica) == want }, within, 50*time.Millisecond,
				"%s serves: %t", replica, want)
		}
	}

	require.Eventually(t, func() bool { // it has begun to listen, or knows that it cannot
		out := s.procs["token"].out.String() + s.procs["token-2"].out.String()
		return strings.Count(out, "receiving change notifications from the database") >= 2
	}, 2*time.Minute, 10*time.Millisecond)

	for range 2 {
		everywhere(true)
		platform(t, s.operator, "app", "disable", "service")
		everywhere(false)
		platform(t, s.operator, "app", "enable", "service")
	}
}
