package domain

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Silent returns the keys that don't sign and never will again, by the clock of any
// replica, so that their private halves can be deleted.
func (p Policy) Silent(schedule []signing.Key, now time.Time) (list []signing.Key) {
	for _, key := range schedule {
		if end := ended(key); !end.IsZero() && !now.Before(end.Add(retireMargin)) {
			list = append(list, key)
		}
	}
	return list
}

// Forgotten returns the keys whose public halves are no longer needed either: there is no
// session left for which an ID token signed by them could serve as a hint. The latest
// generation of an algorithm is never among them, so that no generation is used twice.
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

// ended returns when a key's use ended or will end: the earlier of its retirement and its
// revocation, or zero if neither is known.
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
