package grants

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// MaxRefreshGrace bounds how long a rotated refresh token answers with its
// successor, whatever an application is configured with: after it every seal is
// erased.
const MaxRefreshGrace = time.Minute

// RefreshToken is one member of a family in its table; the family is the grant
// (RFC 9700 4.14.2). The token itself is never stored.
type RefreshToken struct {
	Hash      []byte // SHA-256 of the token
	GrantID   string
	ClientID  string
	Scope     oauth.Scopes // the family's: a request for less narrows no later one (RFC 6749 6)
	CreatedAt time.Time
	// ExpiresAt is the earlier of the idle end and AbsoluteExpiresAt, which is the
	// family's.
	ExpiresAt         time.Time
	AbsoluteExpiresAt time.Time
	RotatedAt         time.Time // zero: not yet
	// SuccessorSeal holds the token that replaced this one, readable for a holder
	// of this one only; nil without a grace, and after it.
	SuccessorSeal []byte
	SuccessorHash []byte
}

// Refreshable is a refresh token with everything that a refresh is decided on,
// read in one statement.
type Refreshable struct {
	RefreshToken
	Standing
	// SuccessorUsed says that the token which replaced this one was rotated too, or
	// does not exist any more.
	SuccessorUsed bool
}

// Repeatable reports whether a rotated token may have its successor again at now: a
// lost answer, two tabs. The grace counts from the rotation; a repeat extends
// nothing.
func (r *Refreshable) Repeatable(grace time.Duration, now time.Time) bool {
	return !r.RotatedAt.IsZero() && !r.SuccessorUsed && len(r.SuccessorSeal) > 0 &&
		now.Before(r.RotatedAt.Add(min(grace, MaxRefreshGrace)))
}

// Rotation replaces a refresh token by its successor, which is of the same family,
// client, scope and absolute end.
type Rotation struct {
	OldHash  []byte
	NewHash  []byte
	GrantID  string
	ClientID string
	// Seal is stored on the old row; nil without a grace.
	Seal []byte
	// ExpiresAt is the successor's end.
	ExpiresAt time.Time
	// GrantExpiresAt is when the last token of the grant expires.
	GrantExpiresAt time.Time
}
