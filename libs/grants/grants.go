package grants

import (
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Errors that the stores answer; anything else is a fault behind us.
var (
	ErrNotFound = errors.New("grants: not found")
	ErrConsumed = errors.New("grants: already used")
	ErrExpired  = errors.New("grants: expired")
	ErrRevoked  = errors.New("grants: revoked or its session, user or membership has ended")
	ErrDecided  = errors.New("grants: already decided")
)

// Decision is what a person's visit to the sign-in pages came to.
type Decision string

// Decisions.
const (
	Undecided Decision = ""
	SignedIn  Decision = "signed_in" // signed in; no consent page was shown
	Consented Decision = "consented" // allowed on the consent page, in this flow
	Denied    Decision = "denied"    // RFC 6749 4.1.2.1, access_denied
)

// Kind says which service sent a browser to the sign-in pages, and so where it
// returns to. A stored kind cannot be bent into an open redirect as a URL can.
type Kind string

// Kinds.
const (
	KindAuthorize Kind = "authorize" // returns to P/oauth/authorize?flow={id}
	KindDevice    Kind = "device"    // returns to /device?flow={id}
	KindAccount   Kind = "account"   // returns to /account
)

const (
	// RequestTTL is the longest time that a request waits for its person.
	RequestTTL = 30 * time.Minute
	// KeepRequests is how long a request's row stays after its end. While it is there
	// the token that it was made of makes no second one: the token opens for RequestTTL
	// from the beginning, and the clocks of two replicas differ by less than the rest.
	// It holds also where the end of the row was moved forward to now.
	KeepRequests = RequestTTL + 5*time.Minute
)

// AuthorizationRequest is a validated request (RFC 6749 4.1.1) that waits for a
// person. It belongs to one browser and yields at most one code. For KindDevice
// it only asks for a sign-in: ClientID, Scope and UserCode describe what for,
// and no code comes of it. KindAccount asks for a sign-in to the account page: no
// application has a part in it, and TenantID may say by whose entrance it began.
type AuthorizationRequest struct {
	ID            string
	Kind          Kind
	BrowserHash   []byte // SHA-256 of the browser cookie that started it
	ClientID      string
	RedirectURI   string
	ResponseMode  oauth.ResponseMode
	Scope         oauth.Scopes // already narrowed to what the application may have
	State         string
	Nonce         string
	CodeChallenge string // S256, or empty
	Prompt        oauth.Prompt
	MaxAge        *int // seconds; nil: not asked for
	LoginHint     string
	ACRValues     string
	UILocales     string
	Resource      string // RFC 8707, or empty
	HintSubject   string // sub of a valid id_token_hint, or empty
	UserCode      string // KindDevice: the code the person typed, normalized
	TraceParent   string // W3C trace context of the request that made it; empty: the store's
	CreatedAt     time.Time
	ExpiresAt     time.Time

	// Sealed is the token that the request lives in while it has no row; empty where it
	// has one.
	Sealed string

	// The session service's part.
	LoginEmail string // the address typed in this flow, lower case
	SessionID  string
	TenantID   string
	Decision   Decision
	DecidedAt  time.Time

	ConsumedAt time.Time // zero: not yet
}

// Handle is what the address of the request's page names it by: its token while it is
// sealed, else its id.
func (r *AuthorizationRequest) Handle() string {
	if r.Sealed != "" {
		return r.Sealed
	}
	return r.ID
}

// AuthorizationCode is what a code stands for (RFC 6749 4.1.2). The code itself
// is never stored.
type AuthorizationCode struct {
	Hash          []byte // SHA-256 of the code
	RequestID     string // empty when a session answered at once
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
	AuthTime      time.Time
	ACR           string
	AMR           []string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	ConsumedAt    time.Time // zero: not yet
}

// Behind is what else the rule of who may go on (directory.Entry) is asked of, beside
// the person and the tenant.
type Behind struct {
	Member      bool // the person, of the tenant
	AppActive   bool // the application is there and not disabled
	AccessEnded bool // access was ended since (see libs/ending)
}

// stands asks the rule.
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

// Redeemable is a code with everything that its redemption decides on, read in
// one statement.
type Redeemable struct {
	AuthorizationCode
	User   directory.User
	Tenant directory.Tenant
	Behind
	// SessionLive reports whether the session is neither ended nor past its absolute
	// end, and the person, tenant and sign-in of the code are its own.
	SessionLive bool
}

// Live reports whether what is behind the code, and its session, still allow it.
func (r *Redeemable) Live() bool {
	return r.SessionLive && r.stands(&r.User, &r.Tenant, r.AMR)
}

// Grant is what a person allowed an application once; every token of it carries
// its id as gid.
type Grant struct {
	ID        string
	ClientID  string
	UserID    string
	TenantID  string
	SessionID string
	Scope     oauth.Scopes
	Resource  string
	Offline   bool
	// How the person had signed in; a refreshed ID token says so again (OpenID
	// Connect Core 12.2). Zero on grants from before they were kept.
	AuthTime  time.Time
	ACR       string
	AMR       []string
	CreatedAt time.Time
	RevokedAt time.Time // zero: alive
}

// Standing is a grant with what userinfo tells and decides on, read in one
// statement.
type Standing struct {
	Grant  Grant
	User   directory.User
	Tenant directory.Tenant
	Behind
	SessionLive bool
	// TokenRevoked reports whether the access token asked about, or one that it was
	// exchanged from, was revoked by itself (RFC 7009); its grant may go on.
	TokenRevoked bool
}

// Live reports whether the tokens asked about are still honoured: an online grant
// ends with its session, an offline one outlives it.
func (s *Standing) Live() bool {
	return !s.TokenRevoked && s.Grant.RevokedAt.IsZero() && (s.Grant.Offline || s.SessionLive) &&
		s.stands(&s.User, &s.Tenant, s.Grant.AMR)
}

// ConsentNeeded reports whether the consent page must be shown for a request:
// remembered is what the person allowed this application in this tenant before.
// A first-party application needs none. Where any program on the device can claim
// to be the application neither counts; see directory.Application.Claimable. prompt=consent always asks
// (OpenID Connect Core 3.1.2.1).
func ConsentNeeded(
	app *directory.Application, redirectURI string, prompt oauth.Prompt, scope, remembered oauth.Scopes,
) bool {
	if prompt.Has(oauth.PromptConsent) || app.Claimable(redirectURI) {
		return true
	}
	return !app.FirstParty && !remembered.Contains(scope...)
}

// Fresh reports whether a session's authentication is recent enough for a request
// that began at started. One made since then always is; else prompt=login (and
// max_age=0, which equals it) asks for a new one, and max_age for one at most
// that many seconds old (OpenID Connect Core 3.1.2.1).
func Fresh(s *sessions.Session, prompt oauth.Prompt, maxAge *int, started, now time.Time) bool {
	switch {
	case !s.AuthTime.Before(started):
		return true
	case prompt.Has(oauth.PromptLogin):
		return false
	default:
		// As numbers: an application may ask for more seconds than a Duration holds.
		return maxAge == nil || (*maxAge > 0 && now.Sub(s.AuthTime).Seconds() <= float64(*maxAge))
	}
}

// DeviceCode is a device authorization request (RFC 8628 3.1) in its table.
type DeviceCode struct {
	Hash         []byte // SHA-256 of the device code
	UserCode     string // XXXX-XXXX
	ClientID     string
	Scope        oauth.Scopes
	Resource     string
	Interval     time.Duration // whole seconds; grows with every slow_down
	Address      string        // where the device asked from; empty: not known
	CreatedAt    time.Time
	ExpiresAt    time.Time
	Decision     DeviceDecision
	DecidedAt    time.Time
	GrantID      string // the rest is set by an approval
	UserID       string
	TenantID     string
	SessionID    string // the session that approved; the grant has none
	AuthTime     time.Time
	ACR          string
	AMR          []string
	LastPolledAt time.Time // zero: not polled yet
	ConsumedAt   time.Time // zero: not yet
}

// DeviceDecision is what a person said to a device (RFC 8628 3.3).
type DeviceDecision string

// Device decisions.
const (
	DeviceUndecided DeviceDecision = ""
	DeviceApproved  DeviceDecision = "approved"
	DeviceDenied    DeviceDecision = "denied"
)
