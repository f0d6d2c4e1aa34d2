package grants

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// MaxRefreshGrace bounds how long a rotated refresh token is answered with its successor,
// whatever an application's configuration says. After it every seal is erased.
const MaxRefreshGrace = time.Minute

// RefreshToken is a stored member of a family; the family is the grant (RFC 9700 4.14.2). The
// token itself is never stored.
type RefreshToken struct {
	Hash      []byte // SHA-256 of the token
	GrantID   string
	ClientID  string
	Scope     oauth.Scopes // the family's: a narrower request doesn't narrow later ones (RFC 6749 6)
	CreatedAt time.Time
	// ExpiresAt is the earlier of the idle expiry and AbsoluteExpiresAt, which the whole family
	// shares.
	ExpiresAt         time.Time
	AbsoluteExpiresAt time.Time
	RotatedAt         time.Time // zero: not yet
	// SuccessorSeal holds the token that replaced this one, readable only by a holder of this
	// one. It is nil if there is no grace period, and after it.
	SuccessorSeal []byte
	SuccessorHash []byte
}

// Refreshable is a refresh token with everything that a refresh depends on, read in one
// statement.
type Refreshable struct {
	RefreshToken
	Standing
	// SuccessorUsed is set if the token that replaced this one has been rotated too, or no
	// longer exists.
	SuccessorUsed bool
}

// Repeatable reports whether a rotated token may be answered with its successor again at now,
// for example after a lost response or from a second tab. The grace period counts from the
// rotation; a repeat doesn't extend it.
func (r *Refreshable) Repeatable(grace time.Duration, now time.Time) bool {
	return !r.RotatedAt.IsZero() && !r.SuccessorUsed && len(r.SuccessorSeal) > 0 &&
		now.Before(r.RotatedAt.Add(min(grace, MaxRefreshGrace)))
}

// Rotation replaces a refresh token with its successor, which has the same family, client,
// scope and absolute expiry.
type Rotation struct {
	OldHash  []byte
	NewHash  []byte
	GrantID  string
	ClientID string
	// Seal is stored on the old row; nil if there is no grace period.
	Seal []byte
	// ExpiresAt is the successor's expiry.
	ExpiresAt time.Time
	// GrantExpiresAt is when the last token of the grant expires.
	GrantExpiresAt time.Time
}
