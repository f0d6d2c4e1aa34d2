package audit

import "time"

// Kind is what happened.
type Kind string

// Signing in and out, told by the session service.
const (
	SignedIn          Kind = "session.signed_in"          // a password was right
	SignInFailed      Kind = "session.sign_in_failed"     // it was not; no user, so that the trail names no guess
	SignInBlocked     Kind = "session.sign_in_blocked"    // too many failures
	SignedOut         Kind = "session.signed_out"         // the person left
	SessionEnded      Kind = "session.ended"              // ended from /account or by an operator
	ConsentGiven      Kind = "session.consent_given"      // detail: scope
	ConsentDenied     Kind = "session.consent_denied"     //
	ConsentWithdrawn  Kind = "session.consent_withdrawn"  // the application's grants ended with it
	FormRefused       Kind = "session.form_refused"       // a form or flow of another browser; detail: error
	PasswordChanged   Kind = "session.password_changed"   // by the person; by an operator it is UserChanged
	SessionPicked     Kind = "session.picked"             // a person signed in beside was chosen again; detail: was (the session before)
	LogoutDelivered   Kind = "session.logout_delivered"   // an application heard of a logout (back-channel)
	LogoutUndelivered Kind = "session.logout_undelivered" // and one did not, after all attempts
	ErrorShown        Kind = "session.error_shown"        // any other error page; detail: error, status
)

// Refusals and decisions about applications, told by authorize and token; how an
// application did not authenticate, by the device service too.
const (
	RequestRefused  Kind = "authorize.refused"      // a request that went to an error page; detail: error, status
	CodeReplayed    Kind = "token.code_replayed"    // a code came twice: its grant is revoked
	RefreshReused   Kind = "token.refresh_reused"   // a rotated refresh token came again: its family is revoked
	FamilyRevoked   Kind = "token.family_revoked"   // all refresh tokens of a grant; detail: reason
	TokenRevoked    Kind = "token.revoked"          // RFC 7009
	TokenExchanged  Kind = "token.exchanged"        // RFC 8693; detail: audience, actor
	ClientRefused   Kind = "token.client_refused"   // an application did not authenticate
	ClientBlocked   Kind = "token.client_blocked"   // too many failures of that
	AssertionReused Kind = "token.assertion_reused" // a jti came twice (RFC 7523 3)
	TokenErrorShown Kind = "token.error_shown"      // an error page, to a browser; detail: error, status
)

// The second screen, told by the device service.
const (
	DeviceApproved  Kind = "device.approved"
	DeviceDenied    Kind = "device.denied"
	DeviceRefused   Kind = "device.refused"           // an error page; detail: error, status
	UserCodeBlocked Kind = "device.user_code_blocked" // too many wrong user codes; detail: limit (address, session, platform)
)

// Keys, told by the keys service and the operator.
const (
	KeyRotated Kind = "keys.rotated" // the keys service made one; detail: kid, algorithm, active_from
	KeyOrdered Kind = "keys.ordered" // an operator asked for one; detail: algorithm, generation, immediate
	KeyRevoked Kind = "keys.revoked" // by an operator; detail: kid, algorithm
)

// Administration, told by the operator's binary; detail names what changed, never
// a secret.
const (
	TenantChanged      Kind = "operator.tenant_changed"
	UserChanged        Kind = "operator.user_changed"
	ApplicationChanged Kind = "operator.application_changed"
	SecretRotated      Kind = "operator.secret_rotated"
)

// ForwardedIgnored is what error pages' events have as the detail "forwarded" when
// the request had an X-Forwarded-For from a peer that is no trusted proxy, so that
// the address is that peer's.
const ForwardedIgnored = "ignored"

// Event is what a service tells; every field but Kind may be empty.
type Event struct {
	Kind      Kind
	UserID    string // whom it is about, or who did it
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
}

// Filter chooses rows; zero fields choose all.
type Filter struct {
	User      string
	Client    string
	Reference string
	Since     time.Time // rows from then on
	// AfterID chooses what was told after that row. Replicas' clocks differ, and
	// a row may be seen later than one that sorts after it: who follows the
	// trail looks a few seconds back with Since and drops what it knows.
	AfterID string
	Limit   int // rows at most; 100 when 0
}
