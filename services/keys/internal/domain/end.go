package domain

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

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
