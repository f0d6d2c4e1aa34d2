package domain

import (
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const (
	// LongestToken bounds the life of an access or ID token of any application,
	// for applications may have longer ones than the platform's default: neither
	// the platform's configuration nor the declarative file may say more.
	LongestToken = 24 * time.Hour
	// clockSkew is how far the clocks of two replicas may be apart. A key that is
	// due within it counts as active, so that a second replica makes no second one.
	clockSkew = 5 * time.Second
	// Notice is how long a key is published at least before it signs, also one that
	// is wanted at once: until every replica that is told of changes serves it.
	Notice = time.Second
	// retireMargin is added to a key's last use: clocks, and signatures under way.
	retireMargin = 5 * time.Minute
	// longestCache bounds how long others may keep the JWKS.
	longestCache = time.Hour
	// longestPause bounds how long a replica does not look: it is how soon an
	// operator's order is carried out, and a revoked key is gone from the JWKS.
	longestPause = 5 * time.Second
	// longestFounding bounds how long a platform counts as new.
	longestFounding = 5 * time.Minute
)

// Policy is when keys come and go.
type Policy struct {
	Algorithms   []signing.Algorithm // each has a key at all times
	Rotation     time.Duration       // age at which the next key is made
	PublishAhead time.Duration       // how long it is published before it signs
	TokenTTL     time.Duration       // the platform's own token lifetime
	SessionLife  time.Duration       // how long a session may live, and an ID token be the hint of one
}

// Validate refuses a policy that would make keys without end, or none.
func (p Policy) Validate() error {
	if p.Rotation <= 0 || p.PublishAhead <= 0 {
		return fmt.Errorf("key rotation (%s) and publishing ahead (%s) must both take some time",
			p.Rotation, p.PublishAhead)
	}

	for _, alg := range p.Algorithms {
		if !alg.Known() {
			return fmt.Errorf("unknown signing algorithm %q", alg)
		}
	}
	return nil
}

// CacheLifetime is how long others may keep the published documents: a key that
// is published PublishAhead before it signs is in every copy by then, with as
// much again for the replicas of this service to notice it. It need not shrink
// towards the moment a key becomes active: whoever fetched the set before the key
// was in it has fetched it again by then.
func (p Policy) CacheLifetime() time.Duration { return min(p.PublishAhead/2, longestCache) }

// Pause is how long a replica waits between two looks at the schedule, at most.
func (p Policy) Pause() time.Duration { return min(p.PublishAhead/4, longestPause) }

// Lead is how long the first key of an algorithm that was configured later is
// published before it signs: until every replica serves it and no copy is without
// it. A new key of an algorithm in use is published ahead for longer.
func (p Policy) Lead() time.Duration {
	return min(p.PublishAhead, p.CacheLifetime()+2*p.Pause()+clockSkew)
}

// Founding is how long after its first key a platform counts as new: the first
// keys of algorithms sign at once, and nobody may keep the set meanwhile.
func (p Policy) Founding() time.Duration { return min(p.PublishAhead, longestFounding) }

// MaxAge is how long others may keep a set whose oldest key was published then.
func (p Policy) MaxAge(oldest, now time.Time) time.Duration {
	if now.Before(oldest.Add(p.Founding() + 2*p.Pause())) { // until every replica has what was made last
		return 0
	}
	return p.CacheLifetime()
}

// Overlap is how long a key stays published after it has been replaced: until
// the last token it signed has expired.
func (p Policy) Overlap() time.Duration {
	return max(p.TokenTTL, LongestToken) + p.CacheLifetime() + retireMargin
}
