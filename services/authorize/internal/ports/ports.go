// Package ports holds what the authorization endpoint needs from elsewhere. The
// stores of libs satisfy all of it but Hints directly.
package ports

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Applications finds OAuth clients.
type Applications interface {
	// Application answers directory.ErrNotFound for an unknown client_id. The
	// result is shared: nobody writes to it. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// People reports whether an account still stands.
type People interface {
	// User answers directory.ErrNotFound for an unknown id; a disabled user is
	// found and not Active.
	User(ctx context.Context, id string) (*directory.User, error)
	// Tenants are the active tenants that a user is a member of.
	Tenants(ctx context.Context, userID string) ([]directory.Tenant, error)
}

// Sessions reads single sign-on.
type Sessions interface {
	// ByCookie finds a session by the SHA-256 of its cookie, ended and expired
	// ones too; sessions.ErrNotFound when there is none.
	ByCookie(ctx context.Context, cookieHash []byte) (*sessions.Session, error)
	// Consented is what a person allowed before: empty when nothing.
	Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error)
	// Touch records that a session was used. It never moves last_seen_at back.
	Touch(ctx context.Context, id string, now time.Time) error
}

// Accounts tells who else is signed in in a browser.
type Accounts interface {
	// OfBrowser lists the sessions of a browser by the SHA-256 of its accounts
	// cookie, without ended ones.
	OfBrowser(ctx context.Context, browserHash []byte) ([]*sessions.Session, error)
}

// Requests keeps authorization requests that wait for a person.
type Requests interface {
	// Seal returns a token that stands for the request instead of a row, or an empty
	// one where the request is too long for an address.
	Seal(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
	// InsertRequest stores a new request.
	InsertRequest(ctx context.Context, request *grants.AuthorizationRequest) error
	// Request finds one by its id or token, consumed and expired ones too;
	// grants.ErrNotFound.
	Request(ctx context.Context, handle string) (*grants.AuthorizationRequest, error)
	// Consume ends a request without a code, once: grants.ErrConsumed,
	// grants.ErrExpired or grants.ErrNotFound for everybody else.
	Consume(ctx context.Context, requestID string, now time.Time) error
}

// Posted carries a request that came by POST to its own GET.
type Posted interface {
	// Keep returns a token that stands for the request, or an empty one where it is too
	// long for an address.
	Keep(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
	// Kept opens such a token, also one that has expired; grants.ErrNotFound for
	// anything else.
	Kept(ctx context.Context, token string) (*grants.AuthorizationRequest, error)
}

// Codes stores authorization codes.
type Codes interface {
	// Issue stores a code that no request row belongs to.
	Issue(ctx context.Context, code *grants.AuthorizationCode) error
	// IssueFromRequest consumes code.RequestID and stores the code in one step.
	// It demands that the request was decided in favour by code.SessionID, and
	// of any number of callers exactly one succeeds; the others hear
	// grants.ErrConsumed, grants.ErrExpired or grants.ErrNotFound.
	IssueFromRequest(ctx context.Context, code *grants.AuthorizationCode, now time.Time) error
}

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the present time.
	Record(ctx context.Context, e audit.Event) error
}

// ErrInvalidHint says that an id_token_hint is no ID token of ours for the
// application.
var ErrInvalidHint = errors.New("ports: invalid id_token_hint")

// Flows bounds how many requests a browser and an address may have stored.
type Flows interface {
	// StartIn counts one, of the browser (the hash of its cookie; nil: not known) and
	// then of the address; *limits.Error when there were too many of either.
	StartIn(ctx context.Context, now time.Time, browser []byte, from netip.Addr) error
}

// Hints reads id_token_hint (OpenID Connect Core 3.1.2.1).
type Hints interface {
	// Subject checks signature, issuer and audience, not the expiry, and returns
	// sub. ErrInvalidHint when a check fails; any other error means that the keys
	// cannot be had.
	Subject(ctx context.Context, token, clientID string) (string, error)
}
