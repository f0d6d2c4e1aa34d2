package grants

import (
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Errors returned by the stores. Any other error is an internal fault.
var (
	ErrNotFound = errors.New("grants: not found")
	ErrConsumed = errors.New("grants: already used")
	ErrExpired  = errors.New("grants: expired")
	ErrRevoked  = errors.New("grants: revoked or its session, user or membership has ended")
	ErrDecided  = errors.New("grants: already decided")
	ErrUnproven = errors.New("grants: the session has other cookies, perhaps renewed meanwhile")
)

// AuthorizationCode is the state behind a code (RFC 6749 4.1.2). The code itself is never
// stored.
type AuthorizationCode struct {
	Hash          []byte // SHA-256 of the code
	RequestID     string // empty if an existing session answered at once
	ClientID      string
	RedirectURI   string
	CodeChallenge string
	Scope         oauth.Scopes
	Nonce         string
	Resource      string
	GrantID       string // gid, allocated with the code
	Offline       bool   // the grant outlives the session
	UserID        string
	TenantID      string
	SessionID     string
	SessionProof  []byte // sessions.Session.Proof; checked when the code is stored, and not kept
	AuthTime      time.Time
	ACR           string
	AMR           []string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	ConsumedAt    time.Time // zero: not yet
}

// Behind holds the rest of what directory.Entry needs to decide who may continue, besides the
// person and the tenant.
type Behind struct {
	Member      bool // whether the person is a member of the tenant
	AppActive   bool // the application exists and isn't disabled
	AccessEnded bool // access has been ended since (see libs/ending)
}

// stands applies the rule of directory.Entry.
func (b Behind) stands(user *directory.User, tenant *directory.Tenant, amr []string) bool {
	entry := directory.Entry{
		User:        user,
		Tenant:      tenant,
		Member:      b.Member,
		Application: &directory.Application{Active: b.AppActive},
		AMR:         amr,
	}

	return !b.AccessEnded && entry.Stands()
}

// Redeemable is a code with everything that its redemption depends on, read in one statement.
type Redeemable struct {
	AuthorizationCode
	User   directory.User
	Tenant directory.Tenant
	Behind
	// SessionLive reports whether the session has neither ended nor passed its absolute expiry,
	// and has the person, tenant and sign-in of the code.
	SessionLive bool
}

// Live reports whether the code may still be redeemed: its session, person, tenant and
// application still allow it.
func (r *Redeemable) Live() bool {
	return r.SessionLive && r.stands(&r.User, &r.Tenant, r.AMR)
}

// Grant records that a person allowed an application access once. Every token of the grant
// carries its id as gid.
type Grant struct {
	ID        string
	ClientID  string
	UserID    string
	TenantID  string
	SessionID string
	Scope     oauth.Scopes
	Resource  string
	Offline   bool
	// How the person had signed in; a refreshed ID token repeats it (OpenID Connect Core 12.2).
	// Zero on grants made before this was recorded.
	AuthTime  time.Time
	ACR       string
	AMR       []string
	CreatedAt time.Time
	RevokedAt time.Time // zero: alive
}

// Standing is a grant with what userinfo returns and depends on, read in one statement.
type Standing struct {
	Grant  Grant
	User   directory.User
	Tenant directory.Tenant
	Behind
	SessionLive bool
	// TokenRevoked reports whether the access token asked about, or one that it was exchanged
	// from, was itself revoked (RFC 7009). Its grant may go on.
	TokenRevoked bool
}

// Live reports whether the tokens asked about are still honoured. An online grant ends with its
// session; an offline one outlives it.
func (s *Standing) Live() bool {
	return !s.TokenRevoked && s.Grant.RevokedAt.IsZero() && (s.Grant.Offline || s.SessionLive) &&
		s.stands(&s.User, &s.Tenant, s.Grant.AMR)
}

// ConsentNeeded reports whether the consent page must be shown for a request. remembered holds
// the scopes that the person allowed this application in this tenant before. A first-party
// application needs no consent. If any program on the device could claim to be the application,
// neither exemption applies; see directory.Application.Claimable. prompt=consent always asks
// (OpenID Connect Core 3.1.2.1).
func ConsentNeeded(
	app *directory.Application, redirectURI string, prompt oauth.Prompt, scope, remembered oauth.Scopes,
) bool {
	if prompt.Has(oauth.PromptConsent) || app.Claimable(redirectURI) {
		return true
	}
	return !app.FirstParty && !remembered.Contains(scope...)
}

// Fresh reports whether a session's authentication is recent enough for a request that began at
// started. An authentication made since then always is. Otherwise prompt=login (and max_age=0,
// which is equivalent) requires a new one, and max_age requires one at most that many seconds
// old (OpenID Connect Core 3.1.2.1).
func Fresh(s *sessions.Session, prompt oauth.Prompt, maxAge *int, started, now time.Time) bool {
	switch {
	case !s.AuthTime.Before(started):
		return true
	case prompt.Has(oauth.PromptLogin):
		return false
	default:
		// Compare as numbers, since an application may ask for more seconds than a Duration
		// holds.
		return maxAge == nil || (*maxAge > 0 && now.Sub(s.AuthTime).Seconds() <= float64(*maxAge))
	}
}

// DeviceCode is a stored device authorization request (RFC 8628 3.1).
type DeviceCode struct {
	Hash         []byte // SHA-256 of the device code
	UserCode     string // XXXX-XXXX
	ClientID     string
	Scope        oauth.Scopes
	Resource     string
	Interval     time.Duration // whole seconds; grows with every slow_down
	Address      string        // address of the device's request; empty: not known
	CreatedAt    time.Time
	ExpiresAt    time.Time
	Decision     DeviceDecision
	DecidedAt    time.Time
	GrantID      string // this and the rest are set by an approval
	UserID       string
	TenantID     string
	SessionID    string // the session that approved; the grant has none
	SessionProof []byte // sessions.Session.Proof; checked at the approval, and not kept
	AuthTime     time.Time
	ACR          string
	AMR          []string
	LastPolledAt time.Time // zero: not polled yet
	ConsumedAt   time.Time // zero: not yet
}

// DeviceDecision is a person's answer to a device's request (RFC 8628 3.3).
type DeviceDecision string

// Device decisions.
const (
	DeviceUndecided DeviceDecision = ""
	DeviceApproved  DeviceDecision = "approved"
	DeviceDenied    DeviceDecision = "denied"
)
