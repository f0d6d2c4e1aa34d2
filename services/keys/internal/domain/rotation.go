package domain

import (
	"cmp"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// NewKey describes a key to create.
type NewKey struct {
	Algorithm   signing.Algorithm
	Generation  int
	PublishedAt time.Time
	ActiveFrom  time.Time
}

// Moment is a key and a time at which its state changes.
type Moment struct {
	KID string
	At  time.Time
}

// Plan lists what to do for one algorithm. The zero value means nothing.
type Plan struct {
	Create       *NewKey
	BringForward []Moment // keys that sign sooner than planned
	Retire       []Moment // keys that have been replaced, and when they are withdrawn
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return p.Create == nil && len(p.BringForward) == 0 && len(p.Retire) == 0 }

// Plan decides what to do for one algorithm, given the whole schedule and what operators
// have asked for. Plans may be carried out partially, and by several replicas at once: the
// next plan continues from there.
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
			wish = line.soonest(now)
			if waiting := line.waiting(now); waiting != nil && waiting.Generation >= order.Generation &&
				!wish.Before(waiting.ActiveFrom) {
				continue // already being carried out
			}
		}

		if !due || wish.Before(at) {
			at, due = wish, true
		}
	}

	if !due {
		return plan
	}

	// Prefer a key that is already published, since more verifiers know it than a new one.
	if waiting := line.waiting(now); waiting != nil && at.Before(waiting.ActiveFrom) {
		plan.BringForward = []Moment{{KID: waiting.KID, At: at}}
	} else {
		plan.Create = &NewKey{
			Algorithm:   alg,
			Generation:  line.generation + 1,
			PublishedAt: now,
			ActiveFrom:  at,
		}
	}

	return plan
}

// line holds the keys of one algorithm.
type line struct {
	live       []signing.Key // neither revoked nor retired, by ActiveFrom
	generation int           // the latest, even if revoked or retired
	begun      bool          // some key was due to sign, even if revoked or retired since
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

// due reports whether a key's time to sign has come by the clock of any replica.
func due(key signing.Key, now time.Time) bool { return !key.ActiveFrom.After(now.Add(clockSkew)) }

// signs reports whether one of the keys signs.
func (l *line) signs(now time.Time) bool { return len(l.live) > 0 && due(l.live[0], now) }

// waiting returns the first key that is published but doesn't sign yet.
func (l *line) waiting(now time.Time) *signing.Key {
	for i := range l.live {
		if l.live[i].ActiveFrom.After(now) {
			return &l.live[i]
		}
	}
	return nil
}

// soonest returns the earliest time at which a key can sign: either a waiting one, once it
// has been published for Notice, or one that is created now. If a key signed sooner,
// verifiers that don't know it could fetch a set without it, and many don't fetch the set a
// second time for a while.
func (l *line) soonest(now time.Time) time.Time {
	at := now.Add(Notice)
	if waiting := l.waiting(now); waiting != nil {
		at = waiting.PublishedAt.Add(Notice)
	}
	if at.Before(now) {
		return now
	}
	return at
}

// nextActive reports whether a key must start to sign, and when, regardless of operators'
// orders.
func (p Policy) nextActive(l line, schedule []signing.Key, now time.Time) (activeFrom time.Time, must bool) {
	if !l.signs(now) {
		return p.firstActive(l, schedule, now)
	}

	newest := l.live[len(l.live)-1]
	ahead := now.Add(p.PublishAhead)
	switch {
	case !newest.RetireAt.IsZero():
		// The successor was revoked. The new key takes over early enough for the old key's
		// tokens to expire before that key is withdrawn, or at once if it is too late for that.
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

// firstActive is nextActive for an algorithm of which no key signs.
func (p Policy) firstActive(l line, schedule []signing.Key, now time.Time) (activeFrom time.Time, must bool) {
	switch {
	case l.begun: // the key that signed was revoked
		return l.soonest(now), true
	case len(l.live) > 0: // the algorithm's first key is waiting for its lead
		return time.Time{}, false
	case p.founding(schedule, now):
		return now, true
	default:
		return now.Add(p.Lead()), true
	}
}

// founding reports whether the platform is so new that no verifier can have cached a set
// that lacks a key created now.
func (p Policy) founding(schedule []signing.Key, now time.Time) bool {
	return !slices.ContainsFunc(schedule,
		func(k signing.Key) bool { return !now.Before(k.PublishedAt.Add(p.Founding())) })
}

// Incomplete reports whether the platform is so new that some algorithm doesn't have its
// first key yet.
func (p Policy) Incomplete(published []signing.Key, now time.Time) bool {
	return p.founding(published, now) && slices.ContainsFunc(p.Algorithms, func(alg signing.Algorithm) bool {
		return !slices.ContainsFunc(published, func(k signing.Key) bool { return k.Algorithm == alg })
	})
}

// retire returns the retirement of every key that has a successor and no retirement time
// yet.
func (p Policy) retire(live []signing.Key) (list []Moment) {
	for i := range max(len(live)-1, 0) {
		if live[i].RetireAt.IsZero() {
			list = append(list, Moment{KID: live[i].KID, At: live[i+1].ActiveFrom.Add(p.Overlap())})
		}
	}
	return list
}
