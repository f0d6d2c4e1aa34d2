package audit

import "time"

// ForwardedIgnored is the value of the detail "forwarded" in events for error pages whose
// request had an X-Forwarded-For from an untrusted peer. The address is then the peer's.
const ForwardedIgnored = "ignored"

// Event is what a service reports. Every field but Kind may be empty.
type Event struct {
	Kind   Kind
	UserID string // the person it is about, or who did it
	// Account is the [Pseudonym] of the address entered, if no person has been authenticated.
	// It looks the same whether or not the account exists.
	Account   string
	ClientID  string
	TenantID  string
	SessionID string
	GrantID   string
	Address   string // the client's address
	// Reference is the reference on the error page and in the log line.
	Reference string
	Detail    map[string]string
}

// Record is a row of the trail.
type Record struct {
	Event
	ID      string // sorts by time
	At      time.Time
	Service string // the service that recorded it
	Link
}

// Filter selects rows. Zero fields select all.
type Filter struct {
	User      string
	Accounts  []string // pseudonyms; selects rows with any of them, as well as those of User
	Client    string
	Reference string
	Since     time.Time // rows from that time on
	Until     time.Time // rows before that time
	// AfterID selects rows recorded after that one. Replicas' clocks differ, and a row may
	// become visible later than one that sorts after it, so a reader that follows the trail
	// should use Since to look back a few seconds and drop the rows it knows.
	AfterID string
	Limit   int // maximum number of rows; 100 when 0
}
