// Package ports defines the interfaces through which device authorization reaches
// everything outside it. The stores in libs implement them directly.
package ports

import (
	"context"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Applications finds OAuth clients with the hashes of their secrets.
type Applications interface {
	// Application returns directory.ErrNotFound for an unknown client_id. The result is shared
	// and must not be modified. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// Authenticator verifies the credentials of applications.
type Authenticator interface {
	// Authenticate checks credentials sent from an address. app is nil for an unknown client.
	// It returns *clientauth.Error if they are wrong, and *limits.Error if this client and
	// address have failed too often. Only failures count.
	Authenticate(
		ctx context.Context, app *directory.Application, credentials clientauth.Credentials, from netip.Addr,
	) error
}

// People finds the person who signed in, and whether their account is still active.
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
}

// Codes stores device codes and the decisions about them.
type Codes interface {
	// InsertDeviceCode stores a new code. It returns false if its user code is taken.
	InsertDeviceCode(ctx context.Context, code *grants.DeviceCode) (bool, error)
	// DeviceByUserCode returns a code, found by its user code in the form XXXX-XXXX, including
	// decided, used and expired ones. It returns grants.ErrNotFound if there is none.
	DeviceByUserCode(ctx context.Context, userCode string) (*grants.DeviceCode, error)
	// Decide writes code.Decision, the person who decided and, for an approval, the grant. When
	// called concurrently, exactly one caller succeeds; the others get grants.ErrDecided,
	// grants.ErrExpired or grants.ErrNotFound. An approval gets grants.ErrUnproven if
	// code.SessionProof is no longer the hash of a cookie of the session.
	Decide(ctx context.Context, code *grants.DeviceCode, now time.Time) error
	// Waiting counts the undecided codes that devices in other networks asked for.
	Waiting(ctx context.Context, network string, now time.Time) (int, error)
}

// Crowds limits how many codes of an application wait at once.
type Crowds interface {
	// MakeRoom makes room for another waiting code of an application, of which there may be at
	// most most. If there is none, it removes the newest code of the network that has the most.
	// It returns false if that is network itself.
	MakeRoom(ctx context.Context, clientID, network string, most int, now time.Time) (bool, error)
}

// Guesses counts wrong user codes across all replicas.
type Guesses interface {
	// Blocked returns the time until which one of the keys is blocked, or the zero time if none
	// is.
	Blocked(ctx context.Context, now time.Time, keys ...limits.Key) (time.Time, error)
	// Fail counts a failure and returns the time until which its key is now blocked. Concurrent
	// failures all count.
	Fail(ctx context.Context, now time.Time, rule limits.Rule, key limits.Key) (time.Time, error)
	// Take counts one more failure for each claim, before it is known to be one. If any key is
	// blocked it counts none and returns the time until which it is blocked.
	Take(ctx context.Context, now time.Time, claims ...limits.Claim) (taken []limits.Taken, until time.Time, err error)
	// GiveBack takes back counts that turned out not to be failures.
	GiveBack(ctx context.Context, taken ...limits.Taken) error
}

// Starts limits how many sign-ins and device authorizations may be started.
type Starts interface {
	// Start counts one for an address. It returns *limits.Error if the address has started too
	// many.
	Start(ctx context.Context, now time.Time, from netip.Addr) error
	// StartIn counts one for a browser (the hash of its cookie, or nil if unknown) and then for
	// its address. It returns *limits.Error if either has started too many.
	StartIn(ctx context.Context, now time.Time, browser []byte, from netip.Addr) error
}

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the current time.
	Record(ctx context.Context, event audit.Event) error
}

// SignIns stores the requests with which browsers are sent to the sign-in pages.
type SignIns interface {
	// Seal returns a token that holds a request of grants.KindDevice, in place of a row. It is
	// empty if the request is too long for a URL.
	Seal(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
	// InsertRequest stores a new request of grants.KindDevice.
	InsertRequest(ctx context.Context, request *grants.AuthorizationRequest) error
	// Request returns a request by its id or token, including consumed and expired ones. It
	// returns grants.ErrNotFound if there is none.
	Request(ctx context.Context, handle string) (*grants.AuthorizationRequest, error)
	// Consume ends a request, once. All other callers get grants.ErrConsumed, grants.ErrExpired
	// or grants.ErrNotFound.
	Consume(ctx context.Context, requestID string, now time.Time) error
}
