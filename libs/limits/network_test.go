package limits_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// RFC 4291 2.5.4, RFC 6177.
func TestANetworkIsCountedAtEveryPrefix(t *testing.T) {
	rule := limits.Rule{Failures: 10, Window: 15 * time.Minute, MaxDelay: 15 * time.Minute}
	claims := func(address string) map[int]time.Duration {
		got := map[int]time.Duration{}
		for _, c := range limits.NetworkClaims([]byte("secret"), netip.MustParseAddr(address),
			rule, "sign_in", "address") {
			got[c.Rule.Failures] = c.Rule.Longest()
		}
		return got
	}

	require.Equal(t, map[int]time.Duration{
		10:  15 * time.Minute, // the /64
		20:  15 * time.Minute, // the /56
		40:  15 * time.Minute, // the /48
		400: time.Minute,      // the /32, which is a provider's
	}, claims("2001:db8:1:2::3"))

	require.Equal(t, map[int]time.Duration{10: 15 * time.Minute, 40: time.Minute}, claims("192.0.2.1"))
	require.Equal(t, claims("192.0.2.1"), claims("::ffff:192.0.2.1"))
	require.Len(t, limits.NetworkClaims(nil, netip.Addr{}, rule), 1, "requests without an address count together")

	of := func(address string) []limits.Claim {
		return limits.NetworkClaims([]byte("secret"), netip.MustParseAddr(address), rule, "sign_in", "address")
	}
	require.Equal(t, limits.NewKey([]byte("secret"), "sign_in", "address", "192.0.2.1"), of("192.0.2.1")[1].Key,
		"the address as it was counted before")
	require.Equal(t, limits.NewKey([]byte("secret"), "sign_in", "address", "2001:db8:1:2::/64"),
		of("2001:db8:1:2::3")[3].Key)
	require.Equal(t, of("2001:db8:1:2::3")[1].Key, of("2001:db8:1:ffff::")[1].Key, "one /48")
	require.NotEqual(t, of("2001:db8:1:2::3")[2].Key, of("2001:db8:1:ffff::")[2].Key, "two /56")
}

func TestASiteIsWhatOnePartyHolds(t *testing.T) {
	require.Equal(t, "2001:db8:1::/48", limits.Site(netip.MustParseAddr("2001:db8:1:2::3")))
	require.Equal(t, "192.0.2.0/24", limits.Site(netip.MustParseAddr("::ffff:192.0.2.7")))
	require.Empty(t, limits.Site(netip.Addr{}))
}
