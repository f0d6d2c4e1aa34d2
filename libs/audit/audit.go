package audit

import "time"

// ForwardedIgnored is what error pages' events have as the detail "forwarded" when
// the request had an X-Forwarded-For from a peer that is no trusted proxy, so that
// the address is that peer's.
const ForwardedIgnored = "ignored"

// Event is what a service tells; every field but Kind may be empty.
type Event struct {
	Kind   Kind
	UserID string // whom it is about, or who did it
	// Account is the [Pseudonym] of the address that was typed, where no person has
	// been proven: alike for an account that exists and for one that does not.
	Account   string
	ClientID  string
	TenantID  string
	SessionID string
	GrantID   string
	Address   string // the client's
	// Reference is what an error page showed and the log line carries.
	Reference string
	Detail    map[string]string
}

// Record is a row of the trail.
type Record struct {
	Event
	ID      string // sorts by time
	At      time.Time
	Service string // who told it
	Link
}

// Filter chooses rows; zero fields choose all.
type Filter struct {
	User      string
	Accounts  []string // pseudonyms; rows of any of them, and those of User
	Client    string
	Reference string
	Since     time.Time // rows from then on
	Until     time.Time // and before
	// AfterID chooses what was told after that row. Replicas' clocks differ, and
	// a row may be seen later than one that sorts after it: who follows the
	// trail looks a few seconds back with Since and drops what it knows.
	AfterID string
	Limit   int // rows at most; 100 when 0
}
