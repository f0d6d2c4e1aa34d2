package e2e

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// TestTheDatabaseGoesAndComesBack has PostgreSQL die, hang and come back under the
// services, none of which is restarted.
func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	const deadline = 2 * time.Second
	s := deploy(t, fleet{server: server, env: []string{"PLATFORM_HTTP_REQUEST_DEADLINE=" + deadline.String()}})
	// Introspection asks the database each time, an application's own tokens never.
	status, answer := s.at(t, "token", "/oauth/token", portal(url.Values{"grant_type": {"client_credentials"}}), nil)
	require.Equal(t, http.StatusOK, status, answer)
	asks := func() int {
		t.Helper()
		status, _ := s.at(t, "token", "/oauth/introspect", portal(url.Values{"token": {"unknown"}}), nil)
		return status
	}
	require.Equal(t, http.StatusOK, asks())
	ready := func() bool {
		status, _ := fetch(t.Context(), "http://"+s.admin["token"]+"/readyz")
		return status == http.StatusOK
	}
	requireAway := func() {
		t.Helper()
		began := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, asks())
		require.Less(t, time.Since(began), deadline+time.Second)
		status, answer := s.at(t, "token", "/oauth/token", portal(url.Values{"grant_type": {"client_credentials"}}), nil)
		require.Equal(t, http.StatusOK, status, answer)
		require.False(t, ready())
	}
	for name, fault := range map[string]struct{ begin, end func(t testing.TB) }{
		"it dies":  {server.Crash, server.Start},
		"it hangs": {server.Pause, server.Resume},
	} {
		t.Run(name, func(t *testing.T) {
			fault.begin(t)
			requireAway()
			requireAway()
			fault.end(t)
			require.Eventually(t, ready, 30*time.Second, 10*time.Millisecond)
			for range 20 {
				require.Equal(t, http.StatusOK, asks())
			}
		})
	}
}
