package signing

import (
	"context"
	"crypto"
	"errors"
	"time"
)

// Algorithm is a JWS algorithm (RFC 7518 3.1, RFC 8037 3.1).
type Algorithm string

// Algorithms that tokens may be signed with.
const (
	RS256 Algorithm = "RS256"
	PS256 Algorithm = "PS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

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

// Published tells whether the key belongs into the JWKS at now.
func (k *Key) Published(now time.Time) bool {
	return k.RevokedAt.IsZero() && !now.Before(k.PublishedAt) && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Signs tells whether the key may make signatures at now, if no later key of its
// algorithm may.
func (k *Key) Signs(now time.Time) bool {
	return k.RevokedAt.IsZero() && !now.Before(k.ActiveFrom) && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Verifies tells whether a signature of the key counts at now: from the moment it
// is known until it is retired or revoked. It may count before ActiveFrom, for
// the clocks of two replicas are never the same.
func (k *Key) Verifies(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
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
	// Delete forgets a key whose row was never written; unknown refs are no error. A
	// backend that cannot delete a single key keeps it, which is none either.
	Delete(ctx context.Context, ref string) error
}

// Schedule reads the rows of signing_keys.
type Schedule interface {
	// Keys returns every key of the schedule by algorithm and generation, retired
	// and revoked ones included: what they are at a moment, Key tells. An empty
	// schedule is no error.
	Keys(ctx context.Context) ([]Key, error)
}
