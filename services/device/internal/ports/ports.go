// Package ports defines the interfaces through which device authorization reaches what its tests
// replace. libs implements all of them. Everything else the use cases hold as it is; see
// services/README.md.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// DeviceCodes stores device codes and the decisions about them.
type DeviceCodes interface {
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

// Flows stores what waits for a person at the sign-in pages.
type Flows interface {
	// Seal returns a token that holds a flow of grants.KindDevice, in place of a row. It is
	// empty if the flow is too long for a URL.
	Seal(ctx context.Context, flow *grants.Flow) (token string, err error)
	// InsertFlow stores a new flow of grants.KindDevice.
	InsertFlow(ctx context.Context, flow *grants.Flow) error
	// Flow returns a flow by its id or token, including consumed and expired ones. It
	// returns grants.ErrNotFound if there is none.
	Flow(ctx context.Context, handle string) (*grants.Flow, error)
	// Consume ends a flow, once. All other callers get grants.ErrConsumed, grants.ErrExpired
	// or grants.ErrNotFound.
	Consume(ctx context.Context, id string, now time.Time) error
}

// Limits counts wrong user codes across all replicas.
type Limits interface {
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
