package domain

import (
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const (
	// clockSkew is how far the clocks of two replicas may be apart. A key that is due within it
	// counts as active, so that a second replica doesn't create another one.
	clockSkew = 5 * time.Second
	// Notice is the minimum time for which a key is published before it signs, even one that is
	// wanted at once. It gives every replica that is notified of changes time to serve the key.
	Notice = time.Second
	// retireMargin is added to a key's last use, for clock differences and signatures that are
	// underway.
	retireMargin = 5 * time.Minute
	// longestCache limits how long the JWKS may be cached.
	longestCache = time.Hour
	// longestPause limits how long a replica waits between two looks at the schedule, and so
	// how soon an operator's order is carried out and a revoked key disappears from the JWKS.
	longestPause = 5 * time.Second
	// longestFounding limits how long a platform counts as new.
	longestFounding = 5 * time.Minute
)

// Policy determines when keys are created and withdrawn.
type Policy struct {
	Algorithms   []signing.Algorithm // each has a key at all times
	Rotation     time.Duration       // age at which the next key is created
	PublishAhead time.Duration       // how long a key is published before it signs
	TokenTTL     time.Duration       // the platform's own token lifetime
	SessionLife  time.Duration       // maximum life of a session, and of an ID token as its hint
}

// Validate rejects a policy that would create keys endlessly, or none.
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

// CacheLifetime returns how long the published documents may be cached. A key that is
// published PublishAhead before it signs is in every cached copy by then, with the same
// time again for the replicas of this service to notice it. The lifetime need not shrink as
// a key is about to become active, since every copy fetched before the key was in the set
// has been replaced by then.
func (p Policy) CacheLifetime() time.Duration { return min(p.PublishAhead/2, longestCache) }

// Pause returns the maximum time that a replica waits between two looks at the schedule.
func (p Policy) Pause() time.Duration { return min(p.PublishAhead/4, longestPause) }

// Lead returns how long the first key of an algorithm that was configured later is
// published before it signs: until every replica serves it and every cached copy has it. A
// new key of an algorithm in use is published ahead for longer.
func (p Policy) Lead() time.Duration {
	return min(p.PublishAhead, p.CacheLifetime()+2*p.Pause()+clockSkew)
}

// Founding returns how long after its first key a platform counts as new. During that time
// the first keys of algorithms sign at once, and the set may not be cached.
func (p Policy) Founding() time.Duration { return min(p.PublishAhead, longestFounding) }

// MaxAge returns how long a set may be cached whose oldest key was published at oldest.
func (p Policy) MaxAge(oldest, now time.Time) time.Duration {
	if now.Before(oldest.Add(p.Founding() + 2*p.Pause())) { // until every replica has the newest key
		return 0
	}
	return p.CacheLifetime()
}

// Overlap returns how long a key stays published after it was replaced: until the last
// token it signed has expired.
func (p Policy) Overlap() time.Duration {
	return max(p.TokenTTL, signing.LongestToken) + p.CacheLifetime() + retireMargin
}
