package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// trial is a testing.TB whose failure is a result.
type trial struct {
	testing.TB
	failure string
}

func (t *trial) Helper()                           {}
func (t *trial) Errorf(format string, args ...any) { t.failure = fmt.Sprintf(format, args...) }
func (t *trial) FailNow()                          { runtime.Goexit() }

// journey uses every service once and returns what failed, or nothing.
func journey(t *testing.T, s *system) string {
	t.Helper()
	attempted := &trial{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		rp := newRelyingParty(attempted, s, "first", "https://second.test/callback", "openid")
		a := newAttempt()
		answer := signIn(formbrowser.New(attempted, "https://").Get(rp.begin(a)), "ada@acme.test")
		rp.redeem(attempted, a, rp.code(attempted, s, a, answer))
		device := formbrowser.New(attempted).Post(s.url("/oauth/device/authorize"), url.Values{"client_id": {"native"}})
		require.Equal(attempted, http.StatusOK, device.Status)
	}()

	<-done

	return attempted.failure
}

// TestAServiceUnderAnothersRoleFails shows that the roles matter: what works with five
// services under their own roles fails if one has another's.
func TestAServiceUnderAnothersRoleFails(t *testing.T) {
	t.Run("each under its own", func(t *testing.T) {
		require.Empty(t, journey(t, apart(t)))
	})

	for service, role := range map[string]string{
		"authorize": "session",
		"session":   "authorize",
		"token":     "device",
		"device":    "token",
		"keys":      "token",
	} {
		t.Run(service+" as "+role, func(t *testing.T) {
			s := apartWithRoles(t, map[string]string{service: role})
			require.NotEmpty(t, journey(t, s))
			// keys makes an RSA key before it hears that it may not store it.
			require.Eventually(t,
				func() bool { return strings.Contains(s.procs[service].out.String(), "permission denied") },
				2*time.Minute, 20*time.Millisecond, "the log says why")
		})
	}
}
