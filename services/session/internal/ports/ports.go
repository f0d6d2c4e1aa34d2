// Package ports defines the interfaces through which the session service reaches what its tests
// replace, what its own store writes, and technologies that the use cases don't know: password
// hashing, HTTP and metrics. Everything else the use cases hold as it is; see services/README.md.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Flows holds the flows that wait for a person at the sign-in pages.
type Flows interface {
	// Flow reads a flow by its id or by the token that it is sealed in. It returns
	// grants.ErrNotFound if there is none.
	Flow(ctx context.Context, handle string) (*grants.Flow, error)
	// Settle stores the row of a sealed flow. It may be repeated. It returns grants.ErrExpired
	// if the flow has expired.
	Settle(ctx context.Context, flow *grants.Flow, now time.Time) error
	// SetLogin stores the typed address. It returns grants.ErrNotFound, ErrConsumed, ErrExpired
	// or ErrDecided.
	SetLogin(ctx context.Context, id, email string, now time.Time) error
	// Decide writes the result of the visit. It may be repeated as long as the flow is neither
	// consumed nor expired nor denied; otherwise it returns grants.ErrConsumed, ErrExpired,
	// ErrDecided or ErrNotFound.
	Decide(ctx context.Context, id string, d grants.Decision, sessionID, tenantID string, now time.Time) error
}

// Choices stores what a person chooses on the sign-in pages.
type Choices interface {
	// ChooseTenant sets a session's tenant, once. It returns false if the session already has
	// one or has ended.
	ChooseTenant(ctx context.Context, sessionID, tenantID string) (bool, error)
	// Remember adds scopes to those that the person allowed the application. Concurrent calls
	// don't overwrite each other.
	Remember(ctx context.Context, key sessions.ConsentKey, scopes oauth.Scopes, at time.Time) error
}

// CookieHashes are the SHA-256 hashes of a browser's cookies. They are nil for cookies that
// the browser doesn't have.
type CookieHashes struct {
	Browser, Session, Accounts []byte
}

// Renewal replaces all cookies of a browser together. The requests bound to the browser
// cookie and the sessions listed by the accounts cookie move along, and the old cookies
// identify nothing afterwards.
type Renewal struct {
	Old, New CookieHashes
	// Flow is the request in which this happens, or empty. It must still be bound to the old
	// browser cookie.
	Flow string
	// Ends lists sessions of the browser that the renewal ends.
	Ends []string
	At   time.Time
}

// Renewals replaces a browser's cookies, and writes the session that they identify.
type Renewals interface {
	// Create inserts a session and carries out a renewal, in one transaction. It returns false
	// and changes nothing if another request renewed the same cookies first.
	Create(ctx context.Context, s *sessions.Session, r Renewal) (bool, error)
	// Renew carries out a renewal for a session that continues, and updates its sign-in,
	// expiry, address and user agent. It returns false and changes nothing if the session has
	// ended or the old cookies no longer identify it.
	Renew(ctx context.Context, s *sessions.Session, r Renewal) (bool, error)
	// Leave ends a session as Access.End does, and carries out a renewal without it. It returns
	// false and changes nothing if the session had already ended.
	Leave(ctx context.Context, sessionID string, r Renewal) (bool, error)
}

// Allowance describes what a person allows an application in a tenant.
type Allowance struct {
	ClientID    string
	Application string // its name, or empty when it is gone
	TenantID    string
	Scope       oauth.Scopes // all scopes that are remembered or granted
	Since       time.Time
	Offline     bool // the application keeps its access while the person isn't signed in
}

// Access reads and ends the access to a person's account: their sessions, and what they have
// allowed applications.
type Access interface {
	// Allowed lists consents and live grants, merged per client and tenant and sorted by name.
	Allowed(ctx context.Context, userID string, now time.Time) ([]Allowance, error)
	// Withdraw removes the consents of a client in a tenant and ends its access there, offline
	// access too, in one transaction. It returns the number of rows that it changed.
	Withdraw(ctx context.Context, userID, clientID, tenantID string, at time.Time) (int, error)
	// End ends a session and revokes its online grants, in one transaction. If the session is
	// unknown or already ended, it does nothing.
	End(ctx context.Context, sessionID string, at time.Time) error
	// EndElsewhere ends all access of a person except one session with its online grants, in
	// one transaction.
	EndElsewhere(ctx context.Context, userID, exceptSession string, at time.Time) error
}

// Credentials reads and replaces the hashes of passwords.
type Credentials interface {
	// Account returns a person, including disabled ones, and their password's hash, or an empty
	// hash if they have none, in one statement. It returns directory.ErrNotFound if there is
	// none.
	Account(ctx context.Context, email string) (*directory.Account, error)
	// SetPasswordHash replaces a hash. It returns false if the hash has changed meanwhile.
	SetPasswordHash(ctx context.Context, userID, oldHash, newHash string, at time.Time) (bool, error)
	// RecordLogin records when a person last signed in.
	RecordLogin(ctx context.Context, userID string, at time.Time) error
}

// Passwords hashes passwords. The number of concurrent hashes is bounded, and each caller
// gets a share of it. If too many are waiting, the methods return an error whose
// Unavailable method returns true.
type Passwords interface {
	// VerifyFrom compares a password with a hash. It takes the same work for every hash; an
	// empty hash matches no password.
	VerifyFrom(ctx context.Context, caller limits.Caller, hash, password string) (bool, error)
	// HashFrom returns the hash to store for a password.
	HashFrom(ctx context.Context, caller limits.Caller, password string) (string, error)
	// NeedsUpgrade reports whether a hash has a different cost than a new one would.
	NeedsUpgrade(hash string) bool
}

// Limits counts attempts across replicas, before they are carried out.
type Limits interface {
	// Take counts one more failure for each claim. If any key is blocked it counts none and
	// returns the time until which it is blocked. However many callers there are at once, no
	// more pass than the rules allow failures.
	Take(ctx context.Context, now time.Time, claims ...limits.Claim) (taken []limits.Taken, until time.Time, err error)
	// GiveBack takes back counts that turned out not to be failures.
	GiveBack(ctx context.Context, taken ...limits.Taken) error
	// Clear forgets the failures of keys.
	Clear(ctx context.Context, keys ...limits.Key) error
}
