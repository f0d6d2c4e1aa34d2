// Package ports defines the interfaces through which the token service reaches everything
// outside it. All of them except Observer are implemented directly by the stores in libs
// and the key ring.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Applications finds OAuth clients with the hashes of their secrets.
type Applications interface {
	// Application returns directory.ErrNotFound for an unknown client_id. The result is shared
	// and must not be modified. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

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

// Devices redeems device codes (RFC 8628 3.4).
type Devices interface {
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

// Revocations revokes tokens at the request of their client (RFC 7009).
type Revocations interface {
	// RevokeFamily ends the grant of a client's refresh token, found by its SHA-256, and
	// returns the grant if this call ended it. It returns nil for an unknown token, another
	// client's token and a grant that had already ended.
	RevokeFamily(ctx context.Context, hash []byte, clientID string, now time.Time) (*grants.Grant, error)
	// RevokeToken marks one access token as revoked until expiresAt. Repeating it isn't an
	// error.
	RevokeToken(ctx context.Context, jti string, expiresAt time.Time) error
}

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the current time.
	Record(ctx context.Context, e audit.Event) error
}

// Standings returns the current state of grants and tokens.
type Standings interface {
	// Standing returns a grant, including revoked ones, with the people and the session behind
	// it, and whether one of the tokens jtis was itself revoked. It returns grants.ErrNotFound
	// if there is none. It costs one read.
	Standing(ctx context.Context, grantID string, jtis []string, now time.Time) (*grants.Standing, error)
	// TokenRevoked reports whether one of the tokens jtis was itself revoked. It is for tokens
	// without a grant and costs one read.
	TokenRevoked(ctx context.Context, jtis ...string) (bool, error)
}

// Consents reads what people have allowed applications.
type Consents interface {
	// Consented returns the scopes that a person allowed before. It is empty if there are none.
	Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error)
}

// Signer signs tokens.
type Signer interface {
	// Choose returns the first of the algorithms that is in use. An algorithm that was
	// configured moments ago isn't in use yet, until verifiers can know its key.
	Choose(algorithms ...signing.Algorithm) signing.Algorithm
	// Sign returns claims as a compact JWS with the given typ. Any error means that signatures
	// are unavailable at the moment.
	Sign(ctx context.Context, alg signing.Algorithm, typ string, claims any) (string, error)
}

// Verifier checks signatures.
type Verifier interface {
	// Verify returns the payload of a JWS that has one of the given types and was signed by one
	// of our keys, whatever its claims say. It returns signing.ErrInvalid if the token is at
	// fault. Any other error means that the keys are unavailable, or didn't become available
	// before ctx ended.
	Verify(ctx context.Context, token string, types ...string) ([]byte, error)
}

// Observer counts the responses of the token endpoint.
type Observer interface {
	// Answered is called once for every request to the token endpoint that named a grant type.
	// grant is empty if the type isn't served. outcome is empty if tokens were issued and the
	// error code otherwise.
	Answered(ctx context.Context, grant oauth.GrantType, outcome oauth.Code)
}
