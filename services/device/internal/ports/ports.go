// Package ports holds what device authorization needs from elsewhere; the stores
// of libs satisfy it directly.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Applications finds OAuth clients with the hashes of their secrets.
type Applications interface {
	// Application answers directory.ErrNotFound for an unknown client_id. The
	// result is shared: nobody writes to it. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
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
	// Decide writes code.Decision and, of an approval, who approved. Of any number
	// of callers exactly one succeeds; the others hear grants.ErrDecided,
	// grants.ErrExpired or grants.ErrNotFound.
	Decide(ctx context.Context, code *grants.DeviceCode, now time.Time) error
	// DeleteExpired removes at most batch codes that expired before the given time,
	// and tells how many went.
	DeleteExpired(ctx context.Context, before time.Time, batch int) (int, error)
}

// SignIns sends a browser to the sign-in pages and hears of its return.
type SignIns interface {
	// InsertRequest stores a new request of grants.KindDevice.
	InsertRequest(ctx context.Context, request *grants.AuthorizationRequest) error
	// Request finds one, consumed and expired ones too; grants.ErrNotFound.
	Request(ctx context.Context, id string) (*grants.AuthorizationRequest, error)
	// Consume ends a request, once: grants.ErrConsumed, grants.ErrExpired or
	// grants.ErrNotFound for everybody else.
	Consume(ctx context.Context, requestID string, now time.Time) error
}
