package limits_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAnAddressStartsSoManySignInsInAWindow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		flows := &limits.Starts{
			Counter: limitstore.New(db),
			Secret:  []byte("secret"),
			Most:    3,
			Window:  15 * time.Minute,
		}

		now := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
		start := func(addr string) error { return flows.Start(t.Context(), now, netip.MustParseAddr(addr)) }
		for range flows.Most {
			require.NoError(t, start("192.0.2.1"))
		}

		for range 3 { // asking again does not make it longer
			var refused *limits.Error
			require.ErrorAs(t, start("192.0.2.1"), &refused)
			require.Equal(t, 10*time.Minute, refused.RetryAfter(), "until the window ends")
		}

		require.NoError(t, start("192.0.2.2"), "another address is its own")
		require.NoError(t, flows.Start(t.Context(), now, netip.Addr{}), "no address: nothing to count")

		now = now.Add(10 * time.Minute)

		for range flows.Most {
			require.NoError(t, start("192.0.2.1"), "each window is counted anew")
		}

		require.Error(t, start("192.0.2.1"))

		for range flows.Most {
			require.NoError(t, start("2001:db8::1"))
		}

		require.Error(t, start("2001:db8::2"), "an IPv6 /64 is one address")
	})
}

// RFC 6819 4.3.1: a browser that starts too many does not use up what others at its
// address have.
func TestABrowserHasAShareOfItsAddress(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		flows := &limits.Starts{
			Counter: limitstore.New(db),
			Secret:  []byte("secret"),
			Most:    300,
			Window:  15 * time.Minute,
		}

		now := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
		office := netip.MustParseAddr("192.0.2.1")
		start := func(browser string) error { return flows.StartIn(t.Context(), now, []byte(browser), office) }

		for range 30 {
			require.NoError(t, start("busy"))
		}

		for range 300 {
			require.Error(t, start("busy"), "a tenth of the address's")
		}

		for range 270 {
			require.NoError(t, flows.StartIn(t.Context(), now, nil, office), "what was refused did not count")
		}

		require.Error(t, start("fresh"), "all together have the address's")

		now = now.Add(15 * time.Minute)
		require.NoError(t, start("busy"))
	})
}

// RFC 6819 4.3.1: what a page makes its visitors' browsers request elsewhere doesn't hold up their sign-ins.
func TestWhatIsNoSignInIsCountedApart(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		signIns := &limits.Starts{
			Counter: limitstore.New(db),
			Secret:  []byte("secret"),
			Most:    3,
			Window:  15 * time.Minute,
		}

		others := signIns.Of("device authorization")
		now := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
		office := netip.MustParseAddr("192.0.2.1")
		for _, flows := range []*limits.Starts{others, signIns} {
			for range 3 {
				require.NoError(t, flows.StartIn(t.Context(), now, nil, office))
			}

			var refused *limits.Error
			require.ErrorAs(t, flows.Start(t.Context(), now, office), &refused)
		}
	})
}

// RFC 4291 2.5.4, RFC 6177: a party with an IPv6 /48 is one party, however many of its links it starts flows from.
func TestFlowsAreCountedAtEveryPrefix(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		flows := &limits.Starts{
			Counter: limitstore.New(db),
			Secret:  []byte("secret"),
			Most:    3,
			Window:  15 * time.Minute,
		}

		now := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
		started := func(pattern string) (n int, wait time.Duration) {
			for ; n < 40; n++ {
				err := flows.Start(t.Context(), now, netip.MustParseAddr(fmt.Sprintf(pattern, n)))
				if refused, ok := errors.AsType[*limits.Error](err); ok {
					return n, refused.RetryAfter()
				}
				require.NoError(t, err)
			}
			return n, 0
		}

		n, wait := started("2001:db8:1:1%02x::1")
		require.Equal(t, 2*flows.Most, n, "a /56")
		require.Equal(t, 10*time.Minute, wait)
		n, _ = started("2001:db8:2:%x00::1")
		require.Equal(t, 4*flows.Most, n, "a /48")
		n, wait = started("192.0.2.%d")
		require.Equal(t, 4*flows.Most, n, "a /24")
		require.Equal(t, time.Minute, wait, "which several customers share, so it is only slowed down")
		n, _ = started("2001:db8:3%02x::1")
		require.Equal(t, 40, n, "the /48s of a provider")
	})
}

// RFC 6819 4.3.1: a neighbour who drops cookies uses up what their address has, however they mint browsers, but not what
// a person has who proves that they signed in before; and the person's account has a bound, too.
func TestAKnownAccountHasAShareThatItsAddressCannotUseUp(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		flows := &limits.Starts{
			Counter: limitstore.New(db),
			Secret:  []byte("secret"),
			Most:    40,
			Window:  15 * time.Minute,
		}

		now := time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)
		office := netip.MustParseAddr("192.0.2.1")
		mint := func(n int) error { return flows.StartIn(t.Context(), now, []byte{byte(n)}, office) }
		for n := range flows.Most {
			require.NoError(t, mint(n))
		}
		require.Error(t, mint(flows.Most))

		const share = 20
		for _, account := range []string{"ada@acme.test", "bob@acme.test"} {
			known := func(browser int) error {
				key := limits.Account(flows.Secret, account)
				return flows.StartKnown(t.Context(), now, key, []byte{byte(browser)}, office)
			}
			for n := range share {
				require.NoError(t, known(n))
			}

			var refused *limits.Error
			require.ErrorAs(t, known(share), &refused, "in any browser")
			require.Equal(t, 10*time.Minute, refused.RetryAfter())
		}

		now = now.Add(10 * time.Minute)
		for n := range flows.Most {
			require.NoError(t, mint(n), "a new window")
		}
		require.Error(t, mint(flows.Most))
	})
}
