package domain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const (
	// LongestToken bounds the life of an access or ID token of any application,
	// for applications may have longer ones than the platform's default.
	LongestToken = 24 * time.Hour
	// clockSkew is how far the clocks of two replicas may be apart. A key that is
	// due within it counts as active, so that a second replica makes no second one.
	clockSkew = 5 * time.Second
	// retireMargin is added to a key's last use: clocks, and signatures under way.
	retireMargin = 5 * time.Minute
	// longestCache bounds how long others may keep the JWKS.
	longestCache = time.Hour
)

// Policy is when keys come and go.
type Policy struct {
	Algorithms   []signing.Algorithm // each has a key at all times
	Rotation     time.Duration       // age at which the next key is made
	PublishAhead time.Duration       // how long it is published before it signs
	TokenTTL     time.Duration       // the platform's own token lifetime
}

// Validate refuses a policy that would make keys without end, or none.
func (p Policy) Validate() error {
	if p.Rotation <= 0 || p.PublishAhead <= 0 {
		return fmt.Errorf("key rotation (%s) and publishing ahead (%s) must both take some time", p.Rotation, p.PublishAhead)
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
// much again for the replicas of this service to notice it.
func (p Policy) CacheLifetime() time.Duration { return min(p.PublishAhead/2, longestCache) }

// Overlap is how long a key stays published after it has been replaced: until
// the last token it signed has expired.
func (p Policy) Overlap() time.Duration {
	return max(p.TokenTTL, LongestToken) + p.CacheLifetime() + retireMargin
}

// NewKey is a key that should be made.
type NewKey struct {
	Algorithm   signing.Algorithm
	Generation  int
	PublishedAt time.Time
	ActiveFrom  time.Time
}

// Retirement is a key that has been replaced, and when it is withdrawn.
type Retirement struct {
	KID string
	At  time.Time
}

// Plan is what to do about one algorithm. The zero value is nothing.
type Plan struct {
	Create *NewKey
	Retire []Retirement
}

// Plan decides about one algorithm from the whole schedule. Carried out or half
// carried out, by one replica or by several at once, the next plan goes on from
// there.
func (p Policy) Plan(alg signing.Algorithm, schedule []signing.Key, now time.Time) Plan {
	generation := 0
	var live []signing.Key // neither revoked nor retired, by ActiveFrom
	for _, key := range schedule {
		if key.Algorithm != alg {
			continue
		}
		generation = max(generation, key.Generation)
		if key.Verifies(now) {
			live = append(live, key)
		}
	}
	slices.SortFunc(live, func(a, b signing.Key) int {
		return cmp.Or(a.ActiveFrom.Compare(b.ActiveFrom), cmp.Compare(a.Generation, b.Generation))
	})
	plan := Plan{Retire: p.retire(live)}
	if activeFrom, due := p.nextActive(live, now); due {
		plan.Create = &NewKey{Algorithm: alg, Generation: generation + 1, PublishedAt: now, ActiveFrom: activeFrom}
	}
	return plan
}

// nextActive tells whether a key must be made, and from when it signs.
func (p Policy) nextActive(live []signing.Key, now time.Time) (activeFrom time.Time, due bool) {
	if len(live) == 0 || live[0].ActiveFrom.After(now.Add(clockSkew)) {
		// Nothing signs: the very first key, or the active one was revoked.
		return now, true
	}
	newest := live[len(live)-1]
	ahead := now.Add(p.PublishAhead)
	switch {
	case !newest.RetireAt.IsZero():
		// Its successor was revoked. The new one takes over while tokens of the
		// old one can still live out their time, or at once.
		if last := newest.RetireAt.Add(-p.Overlap()); last.Before(ahead) {
			ahead = last
		}
		if ahead.Before(now) {
			ahead = now
		}
		return ahead, true
	case !newest.ActiveFrom.Add(p.Rotation).After(now):
		return ahead, true
	default:
		return time.Time{}, false
	}
}

// retire withdraws every key that has a successor.
func (p Policy) retire(live []signing.Key) (list []Retirement) {
	for i := range max(len(live)-1, 0) {
		if live[i].RetireAt.IsZero() {
			list = append(list, Retirement{KID: live[i].KID, At: live[i+1].ActiveFrom.Add(p.Overlap())})
		}
	}
	return list
}
