// Package ports holds what device authorization needs from elsewhere; the stores
// of libs satisfy it directly.
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
	// Application answers directory.ErrNotFound for an unknown client_id. The
	// result is shared: nobody writes to it. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// Authenticator reports whether credentials are an application's own.
type Authenticator interface {
	// Authenticate judges what came from an address; app is nil for an unknown
	// client. A *clientauth.Error says no, a *limits.Error that this client and
	// address have failed too often; only failures count.
	Authenticate(
		ctx context.Context, app *directory.Application, credentials clientauth.Credentials, from netip.Addr,
	) error
}

// People tells who signed in, and whether the account still stands.
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
}

// Codes keeps device codes and what people said to them.
type Codes interface {
	// InsertDeviceCode stores a new code; false when its user code is taken.
	InsertDeviceCode(ctx context.Context, code *grants.DeviceCode) (bool, error)
	// DeviceByUserCode finds a code by its user code in the form XXXX-XXXX,
	// decided, used and expired ones too; grants.ErrNotFound.
	DeviceByUserCode(ctx context.Context, userCode string) (*grants.DeviceCode, error)
	// Decide writes code.Decision, who decided and, of an approval, the grant. Of any
	// number of callers exactly one succeeds; the others hear grants.ErrDecided,
	// grants.ErrExpired or grants.ErrNotFound.
	Decide(ctx context.Context, code *grants.DeviceCode, now time.Time) error
	// Waiting counts the codes that wait for their person and that devices in other
	// networks asked for.
	Waiting(ctx context.Context, network string, now time.Time) (int, error)
}

// Crowds bounds how many codes of an application wait.
type Crowds interface {
	// MakeRoom sees to it that another code of an application may wait, of which at
	// most that many do. Where it is full, the newest code of the network that has
	// the most goes; false when that is the network itself.
	MakeRoom(ctx context.Context, clientID, network string, most int, now time.Time) (bool, error)
}

// Guesses counts wrong user codes, for all replicas.
type Guesses interface {
	// Blocked tells until when one of the keys is blocked; the zero time: none is.
	Blocked(ctx context.Context, now time.Time, keys ...limits.Key) (time.Time, error)
	// Fail counts a failure and tells until when its key is blocked now. Concurrent
	// failures all count.
	Fail(ctx context.Context, now time.Time, rule limits.Rule, key limits.Key) (time.Time, error)
	// Take counts one more failure of each claim before it is known to be one, or of
	// none where a key is blocked: then it returns until when.
	Take(ctx context.Context, now time.Time, claims ...limits.Claim) (taken []limits.Taken, until time.Time, err error)
	// GiveBack takes back what turned out to be no failure.
	GiveBack(ctx context.Context, taken ...limits.Taken) error
}

// Starts bounds how many sign-ins, here or on a device, may be started.
type Starts interface {
	// Start counts one of an address; *limits.Error when there were too many.
	Start(ctx context.Context, now time.Time, from netip.Addr) error
	// StartIn counts one of a browser (the hash of its cookie; nil: not known) and then
	// of its address; *limits.Error when there were too many of either.
	StartIn(ctx context.Context, now time.Time, browser []byte, from netip.Addr) error
}

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the present time.
	Record(ctx context.Context, event audit.Event) error
}

// SignIns sends a browser to the sign-in pages and hears of its return.
type SignIns interface {
	// Seal returns a token that stands for a request of grants.KindDevice instead of a
	// row, or an empty one where the request is too long for an address.
	Seal(ctx context.Context, request *grants.AuthorizationRequest) (token string, err error)
	// InsertRequest stores a new request of grants.KindDevice.
	InsertRequest(ctx context.Context, request *grants.AuthorizationRequest) error
	// Request finds one by its id or token, consumed and expired ones too;
	// grants.ErrNotFound.
	Request(ctx context.Context, handle string) (*grants.AuthorizationRequest, error)
	// Consume ends a request, once: grants.ErrConsumed, grants.ErrExpired or
	// grants.ErrNotFound for everybody else.
	Consume(ctx context.Context, requestID string, now time.Time) error
}
