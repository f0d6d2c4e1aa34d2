package grants

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

const (
	// slowDownStep is what every poll that comes too early adds to the interval
	// (RFC 8628 3.5).
	slowDownStep = 5 * time.Second
	// maxInterval ends that growth: a device that erred must not wait for ever.
	maxInterval = 60 * time.Second
	// pollJitter is forgiven: what leaves a device on time may arrive early.
	pollJitter = time.Second
)

// DevicePoll is a device code as a polling client finds it (RFC 8628 3.4), with
// the person behind its approval, read in one statement.
type DevicePoll struct {
	DeviceCode
	User   directory.User
	Tenant directory.Tenant
	Behind
	// SessionLive is that of Redeemable, of the session that approved.
	SessionLive bool
	// TooFast says that this poll came before the interval had passed.
	TooFast bool
}

// Live reports whether the person behind an approval still may grant anything, and
// the session in which they approved goes on. What was redeemed outlives it.
func (p *DevicePoll) Live() bool { return p.SessionLive && p.stands(&p.User, &p.Tenant, p.AMR) }

// Waiting reports whether polling rules apply at now: nobody has decided, and the
// code can still be used.
func (d *DeviceCode) Waiting(now time.Time) bool {
	return d.Decision == DeviceUndecided && d.ConsumedAt.IsZero() && now.Before(d.ExpiresAt)
}

// Poll counts a poll at now and reports whether it came too fast (RFC 8628 3.5).
// The first never does. An early one makes the interval longer but leaves
// LastPolledAt at the last compliant poll, so that a client which obeys recovers
// however many early polls it has sent.
func (d *DeviceCode) Poll(now time.Time) (tooFast bool) {
	if !d.LastPolledAt.IsZero() && now.Before(d.LastPolledAt.Add(d.Interval-pollJitter)) {
		d.Interval = max(d.Interval, min(d.Interval+slowDownStep, maxInterval))
		return true
	}
	d.LastPolledAt = now
	return false
}
