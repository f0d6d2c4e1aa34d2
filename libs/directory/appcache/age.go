package appcache

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database/changes"
)

// age is when something was read, and with the options how long it is good.
type age struct{ read time.Time }

// fresh reports whether to serve without asking: what is younger than TTL, and for
// longer while every change is told of, for then it would have been forgotten.
func (a age) fresh(o *Options, now time.Time) bool {
	if now.Before(a.read.Add(o.TTL)) {
		return true
	}
	return o.Changes != nil && now.Before(a.read.Add(o.ToldTTL)) && now.Before(o.Changes.Told().Add(changes.Bound))
}

// end is until when it serves while the source is away: for Stale after it was
// last known to be good.
func (a age) end(o *Options) time.Time {
	good := a.read.Add(o.TTL)
	if o.Changes != nil {
		if told := earlier(o.Changes.Told(), a.read.Add(o.ToldTTL)); told.After(good) {
			good = told
		}
	}
	return good.Add(o.Stale)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (o *Options) subscribe(f func(clientID string)) {
	if o.Changes != nil {
		o.Changes.Subscribe(changes.Applications, f)
	}
}
