package grants

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Kind says which service sent a browser to the sign-in pages, and so where the browser returns
// to. Unlike a stored URL, a stored kind can't be turned into an open redirect.
type Kind string

// Kinds.
const (
	KindAuthorize Kind = "authorize" // returns to P/oauth/authorize?flow={id}
	KindDevice    Kind = "device"    // returns to /device?flow={id}
	KindAccount   Kind = "account"   // returns to /account
)

const (
	// FlowTTL is how long a flow may wait for its person.
	FlowTTL = 30 * time.Minute
	// KeepFlows is how long a flow's row is kept after its expiry. While the row exists, the
	// token it was made from can't create a second one. The token can be opened for FlowTTL from
	// its creation, and the clocks of two replicas differ by less than the rest. This holds even
	// if the row's expiry was moved forward to now.
	KeepFlows = FlowTTL + 5*time.Minute
	// MaxFlowID is longer than any id or token of a flow that the platform issues, in bytes.
	MaxFlowID = 4 << 10
)

// Flow is one visit of a browser to the sign-in pages, and what it is for. It belongs to one
// browser.
//
// Its Kind decides which parts it has. An authorize flow is a validated authorization request
// (RFC 6749 4.1.1) that yields at most one code. A device flow only asks for a sign-in: Access
// describes what the person is about to allow a device, and no code is issued. An account flow
// asks for a sign-in to the account page and involves no application.
type Flow struct {
	ID          string
	Kind        Kind
	BrowserHash []byte // SHA-256 of the browser cookie that started it
	UILocales   string
	TraceParent string // W3C trace context of the request that created it; if empty, the store fills it in
	CreatedAt   time.Time
	ExpiresAt   time.Time
	ConsumedAt  time.Time // zero: not yet

	// Sealed is the token that contains the flow while it has no row; empty once it has one.
	Sealed string

	Access                   // zero in an account flow
	Wishes                   // zero unless this is an authorize flow
	Authorize *Authorization // of an authorize flow; nil otherwise
	Device    *DeviceSignIn  // of a device flow; nil otherwise
	Visit                    // written by the session service
}

// Access is what an application asks for.
type Access struct {
	ClientID string
	Scope    oauth.Scopes // already narrowed to the scopes the application may have
	Resource string       // RFC 8707, or empty
}

// Wishes say how an application would like the person to sign in (OpenID Connect Core 3.1.2.1).
// The zero value wishes nothing.
type Wishes struct {
	Prompt      oauth.Prompt
	MaxAge      *int // seconds; nil: not requested
	LoginHint   string
	ACRValues   string
	HintSubject string // sub of a valid id_token_hint, or empty
}

// Authorization is what the code of an authorize flow is bound to, and how it reaches the
// application.
type Authorization struct {
	RedirectURI   string
	ResponseMode  oauth.ResponseMode
	State         string
	Nonce         string
	CodeChallenge string // S256, or empty
}

// DeviceSignIn is what only a device flow has.
type DeviceSignIn struct {
	UserCode string // the code the person typed, normalized
}

// Visit is what the session service has learned in a flow. In an account flow, LoginEmail and
// TenantID may be set from the beginning: TenantID then names the tenant whose entrance the flow
// began at.
type Visit struct {
	LoginEmail string // address entered in this flow, lower case
	SessionID  string
	TenantID   string
	Decision   Decision
	DecidedAt  time.Time
}

// Decision is the outcome of a person's visit to the sign-in pages.
type Decision string

// Decisions.
const (
	Undecided Decision = ""
	SignedIn  Decision = "signed_in" // signed in; no consent page was shown
	Consented Decision = "consented" // allowed on the consent page, in this flow
	Denied    Decision = "denied"    // RFC 6749 4.1.2.1, access_denied
)

// Handle returns the name of the flow in its page's URL: its token while it is sealed, or else
// its id.
func (f *Flow) Handle() string {
	if f.Sealed != "" {
		return f.Sealed
	}
	return f.ID
}

// RedirectURI returns where the application gets its answer, or "" if no application waits for
// one.
func (f *Flow) RedirectURI() string {
	if f.Authorize == nil {
		return ""
	}
	return f.Authorize.RedirectURI
}
