// Package ports holds what the token endpoint and userinfo need from elsewhere.
// The stores of libs and the key ring satisfy all of it but Observer directly.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
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
	// Redeem consumes the code and stores its grant in one step. Of any number of
	// callers exactly one succeeds; the others hear grants.ErrConsumed,
	// grants.ErrExpired or grants.ErrNotFound. expiresAt is when the last token of
	// the grant expires.
	Redeem(ctx context.Context, codeHash []byte, g grants.Grant, expiresAt, now time.Time) error
	// RevokeGrant ends a grant and all that was issued for it; again is no error.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) error
}

// Devices redeems device codes (RFC 8628 3.4).
type Devices interface {
	// PollDevice finds the device code of a client by its SHA-256, consumed,
	// decided and expired ones too, and counts the poll while nobody has decided.
	// Another client's code is grants.ErrNotFound and stays untouched.
	PollDevice(ctx context.Context, codeHash []byte, clientID string, now time.Time) (*grants.DevicePoll, error)
	// RedeemDevice consumes an approved code and stores its grant in one step,
	// with the errors of Codes.Redeem.
	RedeemDevice(ctx context.Context, codeHash []byte, g grants.Grant, expiresAt, now time.Time) error
}

// Standings tells what became of grants.
type Standings interface {
	// Standing finds a grant, revoked ones too, with the people and the session
	// behind it; grants.ErrNotFound. One read.
	Standing(ctx context.Context, grantID string, now time.Time) (*grants.Standing, error)
}

// Sweeper removes what no token needs any more.
type Sweeper interface {
	// DeleteExpired removes at most batch grants whose last token has expired, and
	// tells how many.
	DeleteExpired(ctx context.Context, now time.Time, batch int) (int, error)
}

// Signer signs tokens.
type Signer interface {
	// Sign returns claims as a compact JWS with the given typ. Any error means
	// that no signature can be had at the moment.
	Sign(ctx context.Context, alg signing.Algorithm, typ string, claims any) (string, error)
}

// Verifier checks signatures.
type Verifier interface {
	// Verify returns the payload of a JWS of one of the types that a key of ours
	// has signed, whatever its claims say. signing.ErrInvalid when there is
	// something wrong with the token; any other error means that the keys cannot
	// be had.
	Verify(token string, types ...string) ([]byte, error)
}

// Observer counts what the token endpoint answers.
type Observer interface {
	// Answered is called once for every request to the token endpoint that named
	// a grant type: grant is empty for one that is not served, outcome for tokens
	// issued and otherwise the error code.
	Answered(ctx context.Context, grant oauth.GrantType, outcome oauth.Code)
}
