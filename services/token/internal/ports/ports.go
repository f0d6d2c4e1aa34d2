// Package ports defines the interfaces through which the token service reaches what its tests
// replace. libs implements all of them except Observer, which keeps the metrics library out of
// the use cases. Everything else the use cases hold as it is; see services/README.md.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Codes redeems authorization codes.
type Codes interface {
	// Redeemable returns a code, found by its SHA-256, with everything that its redemption
	// depends on. It includes consumed and expired codes, and returns grants.ErrNotFound if
	// there is none.
	Redeemable(ctx context.Context, codeHash []byte, now time.Time) (*grants.Redeemable, error)
	// Redeem consumes the code and stores its grant and, if not nil, refresh, in one step. When
	// called concurrently, exactly one caller succeeds; the others get grants.ErrConsumed,
	// grants.ErrExpired or grants.ErrNotFound. expiresAt is when the last token of the grant
	// expires.
	Redeem(
		ctx context.Context, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken, expiresAt, now time.Time,
	) error
	// RevokeGrant ends a grant and everything that was issued for it, and reports whether this
	// call ended it. Repeating it isn't an error.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) (ended bool, err error)
}

// DeviceCodes redeems device codes (RFC 8628 3.4).
type DeviceCodes interface {
	// PollDevice returns a client's device code, found by its SHA-256, and counts the poll
	// while the code is undecided. It includes consumed, decided and expired codes. For another
	// client's code it returns grants.ErrNotFound and changes nothing.
	PollDevice(ctx context.Context, codeHash []byte, clientID string, now time.Time) (*grants.DevicePoll, error)
	// RedeemDevice consumes an approved code and stores its grant in one step. Its arguments
	// and errors are those of Codes.Redeem.
	RedeemDevice(
		ctx context.Context, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken, expiresAt, now time.Time,
	) error
}

// RefreshTokens rotates refresh tokens (RFC 6749 6, RFC 9700 4.14.2).
type RefreshTokens interface {
	// Refreshable returns a refresh token, found by its SHA-256, with everything that a refresh
	// depends on. It includes rotated, expired and revoked tokens, and returns
	// grants.ErrNotFound if there is none. It costs one read.
	Refreshable(ctx context.Context, hash []byte, now time.Time) (*grants.Refreshable, error)
	// Rotate replaces a token by its successor in one step, provided that the token, its grant
	// and, for an online grant, its session are alive. When called concurrently, exactly one
	// caller succeeds; the others get grants.ErrConsumed, grants.ErrExpired, grants.ErrRevoked
	// or grants.ErrNotFound.
	Rotate(ctx context.Context, r *grants.Rotation, now time.Time) error
	// Repeat keeps the grant until expiresAt, for one more access token beside the successor.
	// It returns grants.ErrConsumed if the successor was used or the grant has ended.
	Repeat(ctx context.Context, successorHash []byte, grantID string, expiresAt, now time.Time) error
	// RevokeGrant is like Codes.RevokeGrant.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) (ended bool, err error)
}

// Observer counts the responses of the token endpoint.
type Observer interface {
	// Answered is called once for every request to the token endpoint that named a grant type.
	// grant is empty if the type isn't served. outcome is empty if tokens were issued and the
	// error code otherwise.
	Answered(ctx context.Context, grant oauth.GrantType, outcome oauth.Code)
}
