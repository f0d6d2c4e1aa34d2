// Package ports holds what the service's endpoints need from elsewhere.
// The stores of libs and the key ring satisfy all of it but Observer directly.
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
	// Application answers directory.ErrNotFound for an unknown client_id. The
	// result is shared: nobody writes to it. It may be some seconds old.
	Application(ctx context.Context, clientID string) (*directory.Application, error)
}

// Codes redeems authorization codes.
type Codes interface {
	// Redeemable finds a code by its SHA-256 with everything its redemption is
	// decided on, consumed and expired ones too; grants.ErrNotFound.
	Redeemable(ctx context.Context, codeHash []byte, now time.Time) (*grants.Redeemable, error)
	// Redeem consumes the code and stores its grant, and refresh where it is not
	// nil, in one step. Of any number of callers exactly one succeeds; the others
	// hear grants.ErrConsumed, grants.ErrExpired or grants.ErrNotFound. expiresAt is
	// when the last token of the grant expires.
	Redeem(
		ctx context.Context, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken, expiresAt, now time.Time,
	) error
	// RevokeGrant ends a grant and all that was issued for it, and reports whether it
	// was this call that did; again is no error.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) (ended bool, err error)
}

// Devices redeems device codes (RFC 8628 3.4).
type Devices interface {
	// PollDevice finds the device code of a client by its SHA-256, consumed,
	// decided and expired ones too, and counts the poll while nobody has decided.
	// Another client's code is grants.ErrNotFound and stays untouched.
	PollDevice(ctx context.Context, codeHash []byte, clientID string, now time.Time) (*grants.DevicePoll, error)
	// RedeemDevice consumes an approved code and stores its grant in one step,
	// with the arguments and errors of Codes.Redeem.
	RedeemDevice(
		ctx context.Context, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken, expiresAt, now time.Time,
	) error
}

// RefreshTokens rotates refresh tokens (RFC 6749 6, RFC 9700 4.14.2).
type RefreshTokens interface {
	// Refreshable finds a refresh token by its SHA-256 with everything a refresh is
	// decided on, rotated, expired and revoked ones too; grants.ErrNotFound. One read.
	Refreshable(ctx context.Context, hash []byte, now time.Time) (*grants.Refreshable, error)
	// Rotate replaces a token by its successor in one step, while it, its grant and
	// an online grant's session are alive. Of any number of callers exactly one
	// succeeds; the others hear grants.ErrConsumed, grants.ErrExpired,
	// grants.ErrRevoked or grants.ErrNotFound.
	Rotate(ctx context.Context, r *grants.Rotation, now time.Time) error
	// Repeat keeps the grant until expiresAt, for one more access token beside the
	// successor; grants.ErrConsumed where that was used or the grant has ended.
	Repeat(ctx context.Context, successorHash []byte, grantID string, expiresAt, now time.Time) error
	// RevokeGrant is that of Codes.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) (ended bool, err error)
}

// Revocations ends tokens at their client's wish (RFC 7009).
type Revocations interface {
	// RevokeFamily ends the grant of a client's refresh token, found by its SHA-256,
	// and returns it if this call ended it; nil for an unknown token, for another
	// client's, and for a grant that had ended.
	RevokeFamily(ctx context.Context, hash []byte, clientID string, now time.Time) (*grants.Grant, error)
	// RevokeToken makes one access token count as revoked until expiresAt; again is
	// no error.
	RevokeToken(ctx context.Context, jti string, expiresAt time.Time) error
}

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the present time.
	Record(ctx context.Context, e audit.Event) error
}

// Standings tells what became of grants and tokens.
type Standings interface {
	// Standing finds a grant, revoked ones too, with the people and the session
	// behind it, and whether one of the tokens jtis was revoked by itself;
	// grants.ErrNotFound. One read.
	Standing(ctx context.Context, grantID string, jtis []string, now time.Time) (*grants.Standing, error)
	// TokenRevoked reports whether one of the tokens jtis was revoked by itself, for
	// tokens without a grant. One read.
	TokenRevoked(ctx context.Context, jtis ...string) (bool, error)
}

// Consents reads what people have allowed applications.
type Consents interface {
	// Consented returns the scopes that a person allowed before; empty for none.
	Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error)
}

// Signer signs tokens.
type Signer interface {
	// Choose is the first of the algorithms that is in use: one that was configured
	// moments ago is not yet, until verifiers can know its key.
	Choose(algorithms ...signing.Algorithm) signing.Algorithm
	// Sign returns claims as a compact JWS with the given typ. Any error means
	// that no signature can be had at the moment.
	Sign(ctx context.Context, alg signing.Algorithm, typ string, claims any) (string, error)
}

// Verifier checks signatures.
type Verifier interface {
	// Verify returns the payload of a JWS of one of the types that a key of ours
	// has signed, whatever its claims say. signing.ErrInvalid when there is
	// something wrong with the token; any other error means that the keys cannot
	// be had, or not before ctx ended.
	Verify(ctx context.Context, token string, types ...string) ([]byte, error)
}

// Observer counts what the token endpoint answers.
type Observer interface {
	// Answered is called once for every request to the token endpoint that named
	// a grant type: grant is empty for one that is not served, outcome for tokens
	// issued and otherwise the error code.
	Answered(ctx context.Context, grant oauth.GrantType, outcome oauth.Code)
}
