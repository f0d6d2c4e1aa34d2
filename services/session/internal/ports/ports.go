package ports

import (
	"context"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Flows is the session service's half of the hand-off with authorize and device.
type Flows interface {
	// Request reads a flow by its id or by the token that it is sealed in;
	// grants.ErrNotFound.
	Request(ctx context.Context, handle string) (*grants.AuthorizationRequest, error)
	// Settle makes the row of a sealed flow, as often as it is said; grants.ErrExpired.
	Settle(ctx context.Context, request *grants.AuthorizationRequest, now time.Time) error
	// SetLogin keeps the typed address; grants.ErrNotFound, ErrConsumed, ErrExpired.
	SetLogin(ctx context.Context, id, email string, now time.Time) error
	// Decide writes what the visit came to. It may be repeated while the flow is
	// neither consumed nor expired nor denied; else grants.ErrConsumed, ErrExpired,
	// ErrDecided or ErrNotFound.
	Decide(ctx context.Context, id string, d grants.Decision, sessionID, tenantID string, now time.Time) error
}

// Entrances begins sign-ins that no application asked for.
type Entrances interface {
	// Start inserts a request of grants.KindAccount with its id, browser, times,
	// languages and, where they are known, address and tenant.
	Start(ctx context.Context, request *grants.AuthorizationRequest) error
	// Seal returns a token that stands for such a request instead of a row.
	Seal(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
}

// Sessions reads what the cookie stands for.
type Sessions interface {
	// ByCookie finds a session, ended and expired ones included;
	// sessions.ErrNotFound.
	ByCookie(ctx context.Context, cookieHash []byte) (*sessions.Session, error)
	// Touch notes that the session was used.
	Touch(ctx context.Context, id string, now time.Time) error
	// Consented is what a person allowed before; empty when nothing.
	Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error)
}

// SessionLists finds several sessions at once; ended ones are left out, and the
// last used come first.
type SessionLists interface {
	// OfBrowser lists those of one browser; none without a hash.
	OfBrowser(ctx context.Context, browserHash []byte) ([]*sessions.Session, error)
	// OfUser lists those of one person.
	OfUser(ctx context.Context, userID string) ([]*sessions.Session, error)
}

// SessionWriter writes sessions and consents; nobody else does.
type SessionWriter interface {
	// Create inserts a session and carries out a renewal, in one transaction; false,
	// and nothing is changed, when another request renewed the same cookies first.
	Create(ctx context.Context, s *sessions.Session, r Renewal) (bool, error)
	// ChooseTenant sets a session's tenant, once; false when it has one already or
	// has ended.
	ChooseTenant(ctx context.Context, sessionID, tenantID string) (bool, error)
	// End ends a session and revokes its online grants, in one transaction. Ending
	// an ended or unknown one does nothing.
	End(ctx context.Context, sessionID string, at time.Time) error
	// Remember adds scopes to what the person allowed the application; two at once
	// both count.
	Remember(ctx context.Context, key sessions.ConsentKey, scopes oauth.Scopes, at time.Time) error
}

// CookieHashes are the SHA-256 of a browser's cookies; nil where it has none.
type CookieHashes struct {
	Browser, Session, Accounts []byte
}

// Renewal replaces all cookies of a browser together: the requests that the browser
// cookie binds and the sessions that the accounts cookie lists go along, and what
// the old cookies are still known for afterwards is nothing.
type Renewal struct {
	Old, New CookieHashes
	// Flow is the request in which this happens, or empty. It must still be bound to
	// the old browser cookie.
	Flow string
	// Ends are sessions of the browser that end with it.
	Ends []string
	At   time.Time
}

// Renewals gives a browser other cookies.
type Renewals interface {
	// Renew carries out a renewal for a session that goes on, whose sign-in, length,
	// address and user agent it writes; false, and nothing is changed, when the
	// session has ended or the old cookies do not stand for it any more.
	Renew(ctx context.Context, s *sessions.Session, r Renewal) (bool, error)
	// Leave ends a session as SessionWriter.End does, and carries out a renewal
	// without it; false, and nothing is changed, when it had ended before.
	Leave(ctx context.Context, sessionID string, r Renewal) (bool, error)
}

// Allowance is what a person allows an application in a tenant.
type Allowance struct {
	ClientID    string
	Application string // its name, or empty when it is gone
	TenantID    string
	Scope       oauth.Scopes // all that is remembered or granted
	Since       time.Time
	Offline     bool // it keeps its access when nobody is signed in
}

// Allowances is what a person has allowed so far.
type Allowances interface {
	// Allowed lists consents and live grants, one a client and tenant, by name.
	Allowed(ctx context.Context, userID string, now time.Time) ([]Allowance, error)
	// Withdraw removes the consents of a client in a tenant and revokes its grants
	// there, offline ones too, in one transaction; the number of rows it changed.
	Withdraw(ctx context.Context, userID, clientID, tenantID string, at time.Time) (int, error)
	// EndElsewhere ends all access of a person but one session with its online grants,
	// in one transaction.
	EndElsewhere(ctx context.Context, userID, exceptSession string, at time.Time) error
}

// Accounts is what proving who one is needs.
type Accounts interface {
	// Account finds a person, disabled ones included, and their password's hash,
	// empty for none, in one statement; directory.ErrNotFound.
	Account(ctx context.Context, email string) (*directory.Account, error)
	// SetPasswordHash replaces a hash; false when it has changed meanwhile.
	SetPasswordHash(ctx context.Context, userID, oldHash, newHash string, at time.Time) (bool, error)
	// RecordLogin notes when a person last signed in.
	RecordLogin(ctx context.Context, userID string, at time.Time) error
}

// People is who may sign in and where.
type People interface {
	// User finds a person, disabled ones included; directory.ErrNotFound.
	User(ctx context.Context, id string) (*directory.User, error)
	// Tenants lists a person's active tenants, by name.
	Tenants(ctx context.Context, userID string) ([]directory.Tenant, error)
	// TenantByDomain finds the tenant that verified an e-mail domain;
	// directory.ErrNotFound.
	TenantByDomain(ctx context.Context, domain string) (*directory.Tenant, error)
	// Tenant finds a tenant by id, disabled ones included; directory.ErrNotFound.
	Tenant(ctx context.Context, id string) (*directory.Tenant, error)
}

// Slugs finds tenants by their name in URLs.
type Slugs interface {
	// TenantBySlug finds disabled ones too; directory.ErrNotFound.
	TenantBySlug(ctx context.Context, slug string) (*directory.Tenant, error)
}

// Applications is the registry.
type Applications interface {
	// Application finds an application, disabled ones included;
	// directory.ErrNotFound.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// Passwords hashes, a bounded number at a time, of which a caller has a share; an
// error with Unavailable() true when there are too many.
type Passwords interface {
	// VerifyFrom compares. It is the same work whatever the hash; an empty one is
	// never right.
	VerifyFrom(ctx context.Context, caller limits.Caller, hash, password string) (bool, error)
	// HashFrom returns what is stored of a password.
	HashFrom(ctx context.Context, caller limits.Caller, password string) (string, error)
	// NeedsUpgrade reports whether a hash has another cost than a new one would.
	NeedsUpgrade(hash string) bool
}

// Hints checks the signatures of our own tokens.
type Hints interface {
	// Verify returns the payload of a token of one of the types that a key of ours
	// signed; signing.ErrInvalid. It does not look at times.
	Verify(ctx context.Context, token string, types ...string) ([]byte, error)
}

// Limits counts attempts across replicas, before they are made.
type Limits interface {
	// Take counts one more failure of each claim, or of none where a key is
	// blocked: then it returns until when. Of any number of callers no more pass
	// than the rules have free failures.
	Take(ctx context.Context, now time.Time, claims ...limits.Claim) (taken []limits.Taken, until time.Time, err error)
	// GiveBack takes back what turned out to be no failure.
	GiveBack(ctx context.Context, taken ...limits.Taken) error
	// Clear forgets the failures of keys.
	Clear(ctx context.Context, keys ...limits.Key) error
}

// Starts bounds how many sign-ins a browser and an address may start.
type Starts interface {
	// StartIn counts one, of the browser (the hash of its cookie) and then of the
	// address; *limits.Error when there were too many of either.
	StartIn(ctx context.Context, now time.Time, browser []byte, from netip.Addr) error
}

// Trail keeps what was decided.
type Trail interface {
	// Record adds an event. It may fail; what was decided stands all the same.
	Record(ctx context.Context, event audit.Event) error
}
