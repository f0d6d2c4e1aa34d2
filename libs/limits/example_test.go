package limits_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// Each failure after the free ones blocks for twice as long as the one before.
func ExampleRule_Delay() {
	rule := limits.Rule{Failures: 3, Window: 15 * time.Minute, MaxDelay: 5 * time.Second}

	for failures := range 7 {
		fmt.Println(failures, rule.Delay(failures))
	}

	// Output:
	// 0 0s
	// 1 0s
	// 2 0s
	// 3 1s
	// 4 2s
	// 5 4s
	// 6 5s
}

// A key doesn't reveal the address that it was made from. All addresses of an IPv6 /64 share one key.
func ExampleNewKey() {
	secret := []byte("32 random bytes, from the configuration")
	addr := netip.MustParseAddr("2001:db8::1")

	one := limits.NewKey(secret, "sign_in", limits.Address(addr))
	other := limits.NewKey(secret, "sign_in", limits.Address(addr.Next()))

	fmt.Println(len(one))
	fmt.Println("same network:", string(one) == string(other))

	// Output:
	// 32
	// same network: true
}

// Failures are counted for each network that an address lies in, the widest first.
func ExampleNetworks() {
	fmt.Println(limits.Networks(netip.MustParseAddr("192.0.2.7")))
	fmt.Println(limits.Networks(netip.MustParseAddr("2001:db8:1:2::7")))

	// Output:
	// [192.0.2.0/24 192.0.2.7/32]
	// [2001:db8::/32 2001:db8:1::/48 2001:db8:1::/56 2001:db8:1:2::/64]
}

// A store says until when a key is blocked. The edge answers the error with 429.
func ExampleRefuse() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	fmt.Println(limits.Refuse(limits.SignIn, time.Time{}, now))

	err := limits.Refuse(limits.SignIn, now.Add(8*time.Second), now)
	if refused, ok := errors.AsType[*limits.Error](err); ok {
		fmt.Println(refused.LimitName(), refused.RetryAfter())
	}

	// Output:
	// <nil>
	// sign_in 8s
}
