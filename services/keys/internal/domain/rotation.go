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
	// for applications may have longer ones than the platform's default: neither
	// the platform's configuration nor the declarative file may say more.
	LongestToken = 24 * time.Hour
	// clockSkew is how far the clocks of two replicas may be apart. A key that is
	// due within it counts as active, so that a second replica makes no second one.
	clockSkew = 5 * time.Second
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

// NewKey is a key that should be made.
type NewKey struct {
	Algorithm   signing.Algorithm
	Generation  int
	PublishedAt time.Time
	ActiveFrom  time.Time
}

// Moment is a key and when something becomes of it.
type Moment struct {
	KID string
	At  time.Time
}

// Plan is what to do about one algorithm. The zero value is nothing.
type Plan struct {
	Create       *NewKey
	BringForward []Moment // a key that signs sooner than it should have
	Retire       []Moment // a key that has been replaced, and when it is withdrawn
}

// Empty tells whether there is nothing to do.
func (p Plan) Empty() bool { return p.Create == nil && len(p.BringForward) == 0 && len(p.Retire) == 0 }

// Plan decides about one algorithm from the whole schedule and what operators
// have asked for. Carried out or half carried out, by one replica or by several at
// once, the next plan goes on from there.
func (p Policy) Plan(alg signing.Algorithm, schedule []signing.Key, orders []signing.Order, now time.Time) Plan {
	line := lineOf(alg, schedule, now)
	var plan Plan
	plan.Retire = p.retire(line.live)
	at, due := p.nextActive(line, schedule, now)
	for _, order := range orders {
		if order.Algorithm != alg || order.Done(schedule, now) {
			continue
		}
		wish := now.Add(p.PublishAhead)
		if order.Immediate {
			wish = now
		}
		if !due || wish.Before(at) {
			at, due = wish, true
		}
	}
	if !due {
		return plan
	}
	// A key that is published already is known to more verifiers than a new one.
	if waiting := line.waiting(now); waiting != nil && at.Before(waiting.ActiveFrom) {
		plan.BringForward = []Moment{{KID: waiting.KID, At: at}}
	} else {
		plan.Create = &NewKey{Algorithm: alg, Generation: line.generation + 1, PublishedAt: now, ActiveFrom: at}
	}
	return plan
}

// line is the keys of one algorithm.
type line struct {
	live       []signing.Key // neither revoked nor retired, by ActiveFrom
	generation int           // the latest, whatever became of it
	begun      bool          // some key's time to sign has come, whatever became of it
}

func lineOf(alg signing.Algorithm, schedule []signing.Key, now time.Time) line {
	var l line
	for _, key := range schedule {
		if key.Algorithm != alg {
			continue
		}
		l.generation = max(l.generation, key.Generation)
		l.begun = l.begun || due(key, now)
		if key.Verifies(now) {
			l.live = append(l.live, key)
		}
	}
	slices.SortFunc(l.live, func(a, b signing.Key) int {
		return cmp.Or(a.ActiveFrom.Compare(b.ActiveFrom), cmp.Compare(a.Generation, b.Generation))
	})
	return l
}

// due tells whether a key's time to sign has come, by the clock of some replica.
func due(key signing.Key, now time.Time) bool { return !key.ActiveFrom.After(now.Add(clockSkew)) }

// signs tells whether some key does.
func (l *line) signs(now time.Time) bool { return len(l.live) > 0 && due(l.live[0], now) }

// waiting is the first of the keys that are published and do not sign yet.
func (l *line) waiting(now time.Time) *signing.Key {
	for i := range l.live {
		if l.live[i].ActiveFrom.After(now) {
			return &l.live[i]
		}
	}
	return nil
}

// nextActive tells whether a key must start to sign, and when, whatever operators
// ask for.
func (p Policy) nextActive(l line, schedule []signing.Key, now time.Time) (activeFrom time.Time, must bool) {
	if !l.signs(now) {
		return p.firstActive(l, schedule, now)
	}
	newest := l.live[len(l.live)-1]
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

// firstActive does so where nothing signs.
func (p Policy) firstActive(l line, schedule []signing.Key, now time.Time) (activeFrom time.Time, must bool) {
	switch {
	case l.begun: // what signed was revoked
		return now, true
	case len(l.live) > 0: // the algorithm's first key, in its lead
		return time.Time{}, false
	case p.founding(schedule, now):
		return now, true
	default:
		return now.Add(p.Lead()), true
	}
}

// founding tells whether the platform is so new that nobody can hold a set
// without a key that is made now.
func (p Policy) founding(schedule []signing.Key, now time.Time) bool {
	return !slices.ContainsFunc(schedule, func(k signing.Key) bool { return !now.Before(k.PublishedAt.Add(p.Founding())) })
}

// retire withdraws every key that has a successor.
func (p Policy) retire(live []signing.Key) (list []Moment) {
	for i := range max(len(live)-1, 0) {
		if live[i].RetireAt.IsZero() {
			list = append(list, Moment{KID: live[i].KID, At: live[i+1].ActiveFrom.Add(p.Overlap())})
		}
	}
	return list
}

// Silent lists the keys that neither sign nor may sign again, for every replica by
// any clock: nobody needs their private halves.
func (p Policy) Silent(schedule []signing.Key, now time.Time) (list []signing.Key) {
	for _, key := range schedule {
		if end := ended(key); !end.IsZero() && !now.Before(end.Add(retireMargin)) {
			list = append(list, key)
		}
	}
	return list
}

// Forgotten lists the keys whose public halves too are of no more use: no session
// is left that an ID token of theirs could be the hint of. The latest generation of
// an algorithm is never among them, so that none is given twice.
func (p Policy) Forgotten(schedule []signing.Key, now time.Time) (list []signing.Key) {
	latest := map[signing.Algorithm]int{}
	for _, key := range schedule {
		latest[key.Algorithm] = max(latest[key.Algorithm], key.Generation)
	}
	for _, key := range p.Silent(schedule, now) {
		if key.Generation < latest[key.Algorithm] && !now.Before(ended(key).Add(p.SessionLife)) {
			list = append(list, key)
		}
	}
	return list
}

// ended is when a key's use ended or will end: the earlier of its retirement and
// its revocation. Zero when neither is known.
func ended(key signing.Key) time.Time {
	switch {
	case key.RetireAt.IsZero():
		return key.RevokedAt
	case !key.RevokedAt.IsZero() && key.RevokedAt.Before(key.RetireAt):
		return key.RevokedAt
	default:
		return key.RetireAt
	}
}
