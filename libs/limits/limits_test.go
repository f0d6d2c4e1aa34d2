package limits_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// RFC 6749 10.10, RFC 8628 5.1.
func TestTheDelayDoublesAndIsBounded(t *testing.T) {
	rule := limits.Rule{Failures: 3, Window: time.Hour, MaxDelay: 10 * time.Second}
	for failures, want := range map[int]time.Duration{
		0:       0,
		1:       0,
		2:       0,
		3:       time.Second,
		4:       2 * time.Second,
		5:       4 * time.Second,
		6:       8 * time.Second,
		7:       10 * time.Second,
		1 << 30: 10 * time.Second,
	} {
		require.Equal(t, want, rule.Delay(failures), failures)
	}

	require.Equal(t, time.Hour, limits.Rule{Failures: 1, Window: time.Hour}.Delay(1<<30),
		"without a bound the window is one")
	require.Equal(t, time.Second, limits.Rule{Failures: 1, Window: time.Millisecond}.Delay(1),
		"but never less than the first delay")
	require.Equal(t, time.Minute, limits.Rule{Failures: 1, Window: time.Hour, MinDelay: time.Minute}.Delay(1))
}

func TestKeysTellNothingAndAreToldApart(t *testing.T) {
	secret := []byte("secret")
	key := limits.NewKey(secret, "sign_in", "ada@acme.test")
	require.Len(t, key, 32)
	require.Equal(t, key, limits.NewKey(secret, "sign_in", "ada@acme.test"))

	for name, other := range map[string]limits.Key{
		"by their secret":         limits.NewKey([]byte("other"), "sign_in", "ada@acme.test"),
		"by where a part ends":    limits.NewKey(secret, "sign_i", "nada@acme.test"),
		"by the number of parts":  limits.NewKey(secret, "sign_in", "ada@acme.test", ""),
		"by what they are about":  limits.NewKey(secret, "device", "ada@acme.test"),
		"by the order of the two": limits.NewKey(secret, "ada@acme.test", "sign_in"),
	} {
		t.Run(name, func(t *testing.T) { require.NotEqual(t, key, other) })
	}
}

// RFC 4291 2.5.4: a client with one address has 2^64.
func TestAnIPv6AddressCountsAsItsNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":           "192.0.2.7",
		"::ffff:192.0.2.7":    "192.0.2.7",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
		"2001:db8:1:3::":      "2001:db8:1:3::/64",
		"fe80::1%eth0":        "fe80::/64",
	} {
		require.Equal(t, want, limits.Address(netip.MustParseAddr(in)), in)
	}

	require.Empty(t, limits.Address(netip.Addr{}))
}

// RFC 6585 4, RFC 9110 10.2.3.
func TestABlockSaysHowLongToWait(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, limits.Refuse(limits.SignIn, time.Time{}, now))
	require.NoError(t, limits.Refuse(limits.SignIn, now, now))
	blocked, ok := errors.AsType[*limits.Error](limits.Refuse(limits.SignIn, now.Add(90*time.Second), now))
	require.True(t, ok)
	require.Equal(t, 90*time.Second, blocked.RetryAfter())
	require.EqualError(t, blocked, "too many failures: blocked for 1m30s")
}
