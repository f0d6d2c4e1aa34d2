package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Flows is the session service's half of the hand-off with authorize and device.
type Flows interface {
	// Request reads a flow; grants.ErrNotFound.
	Request(ctx context.Context, id string) (*grants.AuthorizationRequest, error)
	// SetLogin keeps the typed address; grants.ErrNotFound, ErrConsumed, ErrExpired.
	SetLogin(ctx context.Context, id, email string, now time.Time) error
	// Decide writes what the visit came to. It may be repeated while the flow is
	// neither consumed nor expired nor denied; else grants.ErrConsumed, ErrExpired,
	// ErrDecided or ErrNotFound.
	Decide(ctx context.Context, id string, d grants.Decision, sessionID, tenantID string, now time.Time) error
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

// SessionWriter writes sessions and consents; nobody else does.
type SessionWriter interface {
	// Create inserts a session under its cookie's hash and ends the one it
	// replaces in this browser, with its online grants, in one transaction;
	// replaces is empty for none.
	Create(ctx context.Context, s *sessions.Session, cookieHash []byte, replaces string) error
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

// Expiry removes what nobody can use any more.
type Expiry interface {
	// DeleteExpired removes at most batch sessions whose absolute end was before
	// then, and tells how many.
	DeleteExpired(ctx context.Context, before time.Time, batch int) (int, error)
}

// Accounts is what proving who one is needs.
type Accounts interface {
	// Account finds a person, disabled ones included, and their password's hash,
	// empty for none, in one statement; directory.ErrNotFound.
	Account(ctx context.Context, email string) (*directory.Account, error)
	// SetPasswordHash replaces a hash unless it has changed meanwhile.
	SetPasswordHash(ctx context.Context, userID, oldHash, newHash string, at time.Time) error
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
}

// Applications is the registry.
type Applications interface {
	// Application finds an application, disabled ones included;
	// directory.ErrNotFound.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// Passwords hashes, a bounded number at a time; an error with Unavailable() true
// when there are too many.
type Passwords interface {
	// Verify compares; an empty hash costs the same work and is never right.
	Verify(ctx context.Context, hash, password string) (bool, error)
	Hash(ctx context.Context, password string) (string, error)
	// NeedsUpgrade tells whether a hash is weaker than a new one would be.
	NeedsUpgrade(hash string) bool
}

// Hints checks the signatures of our own tokens.
type Hints interface {
	// Verify returns the payload of a token of one of the types that a key of ours
	// signed; signing.ErrInvalid. It does not look at times.
	Verify(token string, types ...string) ([]byte, error)
}
