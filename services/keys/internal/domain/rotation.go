package domain

import (
	"cmp"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

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

// Empty reports whether there is nothing to do.
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
			wish = line.soonest(now)
			if waiting := line.waiting(now); waiting != nil && waiting.Generation >= order.Generation &&
				!wish.Before(waiting.ActiveFrom) {
				continue // it is being carried out
			}
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
		plan.Create = &NewKey{
			Algorithm:   alg,
			Generation:  line.generation + 1,
			PublishedAt: now,
			ActiveFrom:  at,
		}
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

// due reports whether a key's time to sign has come, by the clock of some replica.
func due(key signing.Key, now time.Time) bool { return !key.ActiveFrom.After(now.Add(clockSkew)) }

// signs reports whether some key does.
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

// soonest is when a key can sign at the earliest: one that waits, once it has been
// published for the notice, or one that is made now. A key that signed sooner would
// not be in the set that a verifier fetches because it does not know it, and many
// do not fetch it a second time for a while.
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

// nextActive reports whether a key must start to sign, and when, whatever operators
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
		return l.soonest(now), true
	case len(l.live) > 0: // the algorithm's first key, in its lead
		return time.Time{}, false
	case p.founding(schedule, now):
		return now, true
	default:
		return now.Add(p.Lead()), true
	}
}

// founding reports whether the platform is so new that nobody can hold a set
// without a key that is made now.
func (p Policy) founding(schedule []signing.Key, now time.Time) bool {
	return !slices.ContainsFunc(schedule,
		func(k signing.Key) bool { return !now.Before(k.PublishedAt.Add(p.Founding())) })
}

// Incomplete reports whether the platform is so new that some algorithm's first key
// is still to come.
func (p Policy) Incomplete(published []signing.Key, now time.Time) bool {
	return p.founding(published, now) && slices.ContainsFunc(p.Algorithms, func(alg signing.Algorithm) bool {
		return !slices.ContainsFunc(published, func(k signing.Key) bool { return k.Algorithm == alg })
	})
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
