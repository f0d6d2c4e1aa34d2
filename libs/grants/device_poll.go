package grants

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

const (
	// slowDownStep is added to the interval for every poll that comes too early (RFC 8628 3.5).
	slowDownStep = 5 * time.Second
	// maxInterval bounds the interval, so that a device that erred needn't wait for ever.
	maxInterval = 60 * time.Second
	// pollJitter is tolerated, since a poll sent on time may arrive early.
	pollJitter = time.Second
)

// DevicePoll is a device code as found by a client's poll (RFC 8628 3.4), with the person who
// approved it, read in one statement.
type DevicePoll struct {
	DeviceCode
	User   directory.User
	Tenant directory.Tenant
	Behind
	// SessionLive is Redeemable.SessionLive, for the session that approved.
	SessionLive bool
	// TooFast is set if this poll came before the interval had passed.
	TooFast bool
}

// Live reports whether the person who approved may still grant anything and the session in
// which they approved goes on. A grant that was redeemed outlives the session.
func (p *DevicePoll) Live() bool { return p.SessionLive && p.stands(&p.User, &p.Tenant, p.AMR) }

// Waiting reports whether polling rules apply at now: the code is undecided and can still be
// used.
func (d *DeviceCode) Waiting(now time.Time) bool {
	return d.Decision == DeviceUndecided && d.ConsumedAt.IsZero() && now.Before(d.ExpiresAt)
}

// Poll counts a poll at now and reports whether it came too fast (RFC 8628 3.5). The first poll
// never does. An early poll lengthens the interval but leaves LastPolledAt at the last
// compliant poll, so that a client that obeys recovers, however many early polls it has sent.
func (d *DeviceCode) Poll(now time.Time) (tooFast bool) {
	if !d.LastPolledAt.IsZero() && now.Before(d.LastPolledAt.Add(d.Interval-pollJitter)) {
		d.Interval = max(d.Interval, min(d.Interval+slowDownStep, maxInterval))
		return true
	}
	d.LastPolledAt = now
	return false
}
