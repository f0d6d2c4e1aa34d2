package limits

import (
	"net/netip"
	"time"
)

// Claim is one count that an attempt is added to before it is known whether the attempt fails.
type Claim struct {
	Key  Key
	Rule Rule
	// Subject identifies what the count is about, such as an account, as a keyed hash. All
	// counts of a subject can be reset together. It may be nil.
	Subject Key
}

// Taken is a claim that was counted and can be given back.
type Taken struct {
	Key Key
	// Failures is the count including this attempt.
	Failures int
	// Until is when the block that this attempt started for later ones ends; zero if there is
	// none.
	Until time.Time
}

// NetworkClaims returns a claim for each network of an address. The rule applies to the address
// itself. A customer's wider networks (an IPv6 /56 and /48) may have two and four times as many
// failures. Networks that several customers share (an IPv4 /24, an IPv6 /32) may have four and
// forty times as many, and are only slowed down, at worst to an attempt a minute. It returns
// nil for an invalid address.
//
// The parts say what is counted; see [NewKey].
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

// slowest is the longest that a network shared by several customers waits between attempts.
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
