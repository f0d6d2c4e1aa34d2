package limits

import (
	"net/netip"
	"time"
)

// Claim is one count that an attempt adds to before it is known whether the attempt fails.
type Claim struct {
	Key  Key
	Rule Rule
	// Subject is what the count is about, such as an account, as a keyed hash. All counts of a subject can be
	// forgotten together. It may be nil.
	Subject Key
}

// Taken is a claim that was counted. It can be given back.
type Taken struct {
	Key Key
	// Failures is the count, with this attempt.
	Failures int
	// Until is when the block ends that the attempt began for those which follow; zero for no block.
	Until time.Time
}

// NetworkClaims returns a claim for each network of an address. The rule is that of the address alone. A customer's
// wider networks (a /56 and a /48 of IPv6) may have two and four times as many failures. What several customers share
// (a /24 of IPv4, a /32 of IPv6) may have four and forty times as many and is only slowed down, to an attempt a minute
// at worst. It returns nil for no address.
//
// The parts say what is counted, see [NewKey].
func NetworkClaims(secret []byte, addr netip.Addr, rule Rule, parts ...string) []Claim {
	networks := Networks(addr)
	claims := make([]Claim, 0, len(networks))
	for i, network := range networks {
		name := network.String()
		if i == len(networks)-1 {
			name = Address(addr)
		}

		claims = append(claims, Claim{
			Key:  NewKey(secret, append(parts[:len(parts):len(parts)], name)...),
			Rule: networkRule(rule, network),
		})
	}

	return claims
}

// slowest is how long a network that several customers share waits between attempts.
const slowest = time.Minute

func networkRule(rule Rule, network netip.Prefix) Rule {
	factor, shared := 1, false
	switch bits := network.Bits(); {
	case network.Addr().Is4() && bits < 32:
		factor, shared = 4, true
	case network.Addr().Is4():
	case bits < 48:
		factor, shared = 40, true
	case bits < 56:
		factor = 4
	case bits < 64:
		factor = 2
	}

	rule.Failures *= factor

	if shared {
		rule.MaxDelay = min(rule.Longest(), slowest)
	}

	return rule
}
