package appcache

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database/changes"
)

// age says how old an entry is, and with the options how long it may be served.
type age struct{ read time.Time }

// fresh reports whether an entry may be served without asking the source: while it is younger
// than TTL, or longer while every change is being reported, because a changed entry would have
// been dropped.
func (a age) fresh(o *Options, now time.Time) bool {
	if now.Before(a.read.Add(o.TTL)) {
		return true
	}
	return o.Changes != nil && now.Before(a.read.Add(o.ToldTTL)) && now.Before(o.Changes.Told().Add(changes.Bound))
}

// end returns until when an entry is served while the source is down: for Stale after it was
// last known to be current.
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
