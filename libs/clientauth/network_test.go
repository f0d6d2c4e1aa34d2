package clientauth_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 6749 2.3.1, RFC 6177: an attacker with an IPv6 /48 has 65,536 links, and four times the guesses of one.
func TestFailuresAreCountedAtEveryPrefix(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		a := authenticator(db, now)
		app := application(nil)
		try := func(from, secret string) error {
			c, err := clientauth.Parse(nil, clientID, secret)
			require.NoError(t, err)
			return a.Authenticate(t.Context(), app, c, netip.MustParseAddr(from))
		}

		// Of each budget the last failure is the first to be told to wait.
		guesses := func(pattern string) (n int, wait time.Duration, counted bool) {
			for n = 1; n < 60; n++ {
				limited, ok := errors.AsType[*clientauth.Limited](try(fmt.Sprintf(pattern, n), "wrong"))
				if !ok {
					continue
				}

				cause, ok := errors.AsType[*limits.Error](limited)
				require.True(t, ok)
				return n, cause.RetryAfter(), limited.Counted
			}
			return n, 0, false
		}

		for pattern, want := range map[string]int{
			"2001:db8:1:1::%x":     a.Rule.Failures,     // a /64
			"2001:db8:2:1%02x::1":  2 * a.Rule.Failures, // a /56
			"2001:db8:3:%02x00::1": 4 * a.Rule.Failures, // a /48
			"192.0.2.%d":           4 * a.Rule.Failures, // a /24
		} {
			n, wait, counted := guesses(pattern)
			require.Equal(t, want, n, pattern)
			require.Equal(t, limits.FirstDelay, wait, pattern)
			require.True(t, counted, pattern)
		}

		requireRefusal(t, try("2001:db8:4::1", "wrong"), "invalid_client", false)
		_, _, counted := guesses("2001:db8:3:%02x00::1")
		require.False(t, counted, "failures during a block count nowhere")
		require.NoError(t, try("2001:db8:3:100::1", "new"), "a client that knows the secret is not held up")
	})
}
