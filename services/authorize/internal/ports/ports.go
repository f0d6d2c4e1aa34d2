// Package ports defines the interfaces through which the authorization endpoint reaches
// everything outside it. All of them except Hints are implemented directly by the stores in
// libs.
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
	// Application returns directory.ErrNotFound for an unknown client_id. The result is shared
	// and must not be modified. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// People finds out whether an account is still active.
type People interface {
	// User returns directory.ErrNotFound for an unknown id. A disabled user is returned with
	// Active false.
	User(ctx context.Context, id string) (*directory.User, error)
	// Tenants returns the active tenants that a user is a member of.
	Tenants(ctx context.Context, userID string) ([]directory.Tenant, error)
}

// Sessions reads single sign-on sessions.
type Sessions interface {
	// ByCookie returns a session, found by the SHA-256 of its cookie, including ended and
	// expired ones. It returns sessions.ErrNotFound if there is none.
	ByCookie(ctx context.Context, cookieHash []byte) (*sessions.Session, error)
	// Consented returns the scopes that a person allowed before. It is empty if there are none.
	Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error)
	// Touch records that a session was used. It never moves last_seen_at back.
	Touch(ctx context.Context, id string, now time.Time) error
}

// Accounts finds the other people who are signed in in a browser.
type Accounts interface {
	// OfBrowser lists the sessions of a browser, found by the SHA-256 of its accounts cookie.
	// Ended sessions are left out.
	OfBrowser(ctx context.Context, browserHash []byte) ([]*sessions.Session, error)
}

// Requests stores authorization requests that wait for a person.
type Requests interface {
	// Seal returns a token that holds the request, in place of a row. It is empty if the
	// request is too long for a URL.
	Seal(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
	// InsertRequest stores a new request.
	InsertRequest(ctx context.Context, request *grants.AuthorizationRequest) error
	// Request returns a request by its id or token, including consumed and expired ones. It
	// returns grants.ErrNotFound if there is none.
	Request(ctx context.Context, handle string) (*grants.AuthorizationRequest, error)
	// Consume ends a request without a code, once. All other callers get grants.ErrConsumed,
	// grants.ErrExpired or grants.ErrNotFound.
	Consume(ctx context.Context, requestID string, now time.Time) error
}

// Posted carries a request that came by POST over to its own GET.
type Posted interface {
	// Keep returns a token that holds the request. It is empty if the request is too long for a
	// URL.
	Keep(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
	// Kept opens such a token, even an expired one. It returns grants.ErrNotFound for anything
	// else.
	Kept(ctx context.Context, token string) (*grants.AuthorizationRequest, error)
}

// Codes stores authorization codes.
type Codes interface {
	// Issue stores a code that belongs to no stored request. It returns grants.ErrUnproven if
	// code.SessionProof is no longer the hash of a cookie of the session.
	Issue(ctx context.Context, code *grants.AuthorizationCode) error
	// IssueFromRequest consumes code.RequestID and stores the code in one step. The request
	// must have been approved by code.SessionID. When called concurrently, exactly one caller
	// succeeds; the others get grants.ErrConsumed, grants.ErrExpired or grants.ErrNotFound. It
	// returns grants.ErrUnproven as Issue does.
	IssueFromRequest(ctx context.Context, code *grants.AuthorizationCode, now time.Time) error
}

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the current time.
	Record(ctx context.Context, e audit.Event) error
}

// ErrInvalidHint means that an id_token_hint isn't an ID token that we issued to the
// application.
var ErrInvalidHint = errors.New("ports: invalid id_token_hint")

// Flows limits how many requests a browser and an address may have stored.
type Flows interface {
	// StartIn counts one for the browser (the hash of its cookie, or nil if unknown) and then
	// for the address. It returns *limits.Error if either has started too many.
	StartIn(ctx context.Context, now time.Time, browser []byte, from netip.Addr) error
}

// Hints reads id_token_hint (OpenID Connect Core 3.1.2.1).
type Hints interface {
	// Subject checks the hint's signature, issuer and audience, but not its expiry, and returns
	// sub. It returns ErrInvalidHint if a check fails. Any other error means that the keys are
	// unavailable.
	Subject(ctx context.Context, token, clientID string) (string, error)
}
