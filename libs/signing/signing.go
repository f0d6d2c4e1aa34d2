package signing

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"strings"
	"time"
)

// Algorithm is a JWS algorithm (RFC 7518 3.1, RFC 8037 3.1), or one of Logout. Each
// has a line of keys of its own: generations, of which one signs.
type Algorithm string

// Algorithms that access tokens and ID tokens may be signed with.
const (
	RS256 Algorithm = "RS256"
	PS256 Algorithm = "PS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

// logout begins the name of an algorithm whose keys sign logout tokens alone.
const logout = "logout-"

// Logout is the algorithm as keys have it that sign logout tokens (OpenID Connect
// Back-Channel Logout 2.4) and nothing else: who may sign with those only can make no
// access token. Versions that know none of these take their keys for no business of
// theirs.
func (a Algorithm) Logout() Algorithm { return logout + a.JWS() }

// ForLogout reports whether keys of the algorithm sign logout tokens and nothing else.
func (a Algorithm) ForLogout() bool { return strings.HasPrefix(string(a), logout) }

// JWS is the algorithm as a token's header names it.
func (a Algorithm) JWS() Algorithm { return Algorithm(strings.TrimPrefix(string(a), logout)) }

// Errors. ErrNoKey, and what Ring.Sign answers when the backend is away, have a
// method Unavailable that returns true: waiting helps.
var (
	ErrNoKey      error = &unavailableError{what: "signing: no active key for the algorithm"}
	ErrKeyMissing       = errors.New("signing: the backend does not have the key")
	// ErrExists says that another replica made that generation of an algorithm
	// first.
	ErrExists  = errors.New("signing: the schedule has that generation of the algorithm already")
	ErrInvalid = errors.New("signing: token is malformed, of another type, or not signed by a key of ours")
)

// Key is one row of the schedule: a key version, its public half and its times.
// It signs from ActiveFrom until a later key of its algorithm becomes active,
// and is published from PublishedAt until RetireAt.
type Key struct {
	KID         string // RFC 7638 thumbprint
	Algorithm   Algorithm
	Generation  int    // 1, 2, … per algorithm
	Ref         string // the backend's own name for the private half
	PublicKey   crypto.PublicKey
	PublishedAt time.Time
	ActiveFrom  time.Time
	RetireAt    time.Time // zero: not scheduled yet
	RevokedAt   time.Time // zero: not revoked
}

// Published reports whether the key belongs into the JWKS at now.
func (k *Key) Published(now time.Time) bool {
	return k.RevokedAt.IsZero() && !now.Before(k.PublishedAt) && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Signs reports whether the key may make signatures at now, if no later key of its
// algorithm may.
func (k *Key) Signs(now time.Time) bool {
	return k.RevokedAt.IsZero() && !now.Before(k.ActiveFrom) && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Verifies reports whether a signature of the key counts at now: from the moment it
// is known until it is retired or revoked. It may count before ActiveFrom, for
// the clocks of two replicas are never the same.
func (k *Key) Verifies(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Order is an operator's wish: that an algorithm has a key of a generation, and
// that it signs at once if so. It is carried out when the schedule has that key
// (a revoked one counts), and the key's time has come where it should be at once.
type Order struct {
	Algorithm  Algorithm
	Generation int
	Immediate  bool
}

// Done reports whether the order is carried out in a schedule.
func (o Order) Done(schedule []Key, now time.Time) bool {
	return slices.ContainsFunc(schedule, func(k Key) bool {
		return k.Algorithm == o.Algorithm && k.Generation >= o.Generation &&
			(!o.Immediate || !k.RevokedAt.IsZero() || !k.ActiveFrom.After(now))
	})
}

// Backend signs with private keys it never gives away.
type Backend interface {
	// Sign returns the JWS signature of input, the bytes of RFC 7518 3: r||s for
	// ES256, PKCS#1 v1.5 for RS256. It pins exactly the version named by key.Ref.
	// ErrKeyMissing when there is no such key; any other error means that the
	// backend is away.
	Sign(ctx context.Context, key Key, input []byte) ([]byte, error)
}

// Maker makes keys; the keys service alone has one.
type Maker interface {
	// Create makes a new private key and returns the backend's name for it and
	// its public half.
	Create(ctx context.Context, alg Algorithm) (ref string, public crypto.PublicKey, err error)
	// Delete forgets a private key that signs no more, or whose row was never
	// written; unknown refs are no error. A backend that cannot delete a single key
	// keeps it, which is none either.
	Delete(ctx context.Context, ref string) error
	// Reconcile is told the whole schedule: at the start, before a key is made and
	// when its row has been written. It looks for private keys of alg that no row
	// refers to, because whoever made them was killed before it wrote one. A
	// backend that can forget a single key forgets it, but neither one that
	// somebody may be about to write the row of, nor any that a schedule once
	// had. Another gives it back, Ref and PublicKey set, for the next row; of
	// several replicas each may be given the same. Nil when there is none.
	Reconcile(ctx context.Context, alg Algorithm, schedule []Key) (*Key, error)
}

// Schedule reads the rows of signing_keys.
type Schedule interface {
	// Keys returns every key of the schedule by algorithm and generation, retired
	// and revoked ones included: what they are at a moment, Key tells. An empty
	// schedule is no error.
	Keys(ctx context.Context) ([]Key, error)
}
