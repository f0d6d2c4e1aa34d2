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

// NetworkClaims returns a claim for each network of an address; [Shares] says how many failures
// each may have if the address may have those of the rule. Networks that several customers
// share are only slowed down, at worst to an attempt a minute.
//
// The parts say what is counted; see [NewKey].
func NetworkClaims(secret []byte, addr netip.Addr, rule Rule, parts ...string) []Claim {
	shares := Shares(addr, rule.Failures)
	claims := make([]Claim, len(shares))
	for i, share := range shares {
		claims[i] = Claim{
			Key:  NewKey(secret, append(parts[:len(parts):len(parts)], share.Network)...),
			Rule: rule,
		}

		claims[i].Rule.Failures = share.Most
		if share.Several {
			claims[i].Rule.MinDelay = min(rule.First(), slowest)
			claims[i].Rule.MaxDelay = min(rule.Longest(), slowest)
		}
	}

	return claims
}

// slowest is the longest that a network shared by several customers waits between attempts.
const slowest = time.Minute
