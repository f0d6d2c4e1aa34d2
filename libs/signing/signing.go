package signing

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"strings"
	"time"
)

// Algorithm is a JWS algorithm (RFC 7518 3.1, RFC 8037 3.1), or one returned by Logout. Each
// has its own sequence of keys, the generations, one of which signs.
type Algorithm string

// Algorithms that access tokens and ID tokens may be signed with.
const (
	RS256 Algorithm = "RS256"
	PS256 Algorithm = "PS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

// logout is the prefix of algorithms whose keys sign only logout tokens.
const logout = "logout-"

// Logout returns the algorithm of keys that sign only logout tokens (OpenID Connect
// Back-Channel Logout 2.4). A service that may sign only with those can't make an access token.
// Versions that don't know these algorithms ignore their keys.
func (a Algorithm) Logout() Algorithm { return logout + a.JWS() }

// ForLogout reports whether keys of the algorithm sign only logout tokens.
func (a Algorithm) ForLogout() bool { return strings.HasPrefix(string(a), logout) }

// JWS returns the algorithm's name in a token's header.
func (a Algorithm) JWS() Algorithm { return Algorithm(strings.TrimPrefix(string(a), logout)) }

// Errors. ErrNoKey, and the error of Ring.Sign when the backend is down, have a method
// Unavailable that returns true: a retry may help.
var (
	ErrNoKey      error = &unavailableError{what: "signing: no active key for the algorithm"}
	ErrKeyMissing       = errors.New("signing: the backend does not have the key")
	// ErrExists is returned if another replica made that generation of an algorithm first.
	ErrExists  = errors.New("signing: the schedule has that generation of the algorithm already")
	ErrInvalid = errors.New("signing: token is malformed, of another type, or not signed by a key of ours")
)

// Key is one row of the schedule: a key version, its public half and its times. It signs from
// ActiveFrom until a later key of its algorithm becomes active, and is published from
// PublishedAt until RetireAt.
type Key struct {
	KID         string // RFC 7638 thumbprint
	Algorithm   Algorithm
	Generation  int    // 1, 2, … per algorithm
	Ref         string // the backend's name for the private half
	PublicKey   crypto.PublicKey
	PublishedAt time.Time
	ActiveFrom  time.Time
	RetireAt    time.Time // zero: not scheduled yet
	RevokedAt   time.Time // zero: not revoked
}

// Published reports whether the key belongs in the JWKS at now.
func (k *Key) Published(now time.Time) bool {
	return k.RevokedAt.IsZero() && !now.Before(k.PublishedAt) && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Signs reports whether the key may make signatures at now, provided no later key of its
// algorithm may.
func (k *Key) Signs(now time.Time) bool {
	return k.RevokedAt.IsZero() && !now.Before(k.ActiveFrom) && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Verifies reports whether a signature of the key is accepted at now. It is from the moment the
// key is known until the key is retired or revoked, even before ActiveFrom, because the clocks
// of two replicas are never the same.
func (k *Key) Verifies(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.RetireAt.IsZero() || now.Before(k.RetireAt))
}

// Order is an operator's request that an algorithm have a key of a generation and, if
// Immediate, that it sign at once. It is done when the schedule has that key (even a revoked
// one) and, for an immediate order, the key's time has come.
type Order struct {
	Algorithm  Algorithm
	Generation int
	Immediate  bool
}

// Done reports whether the order has been carried out in a schedule.
func (o Order) Done(schedule []Key, now time.Time) bool {
	return slices.ContainsFunc(schedule, func(k Key) bool {
		return k.Algorithm == o.Algorithm && k.Generation >= o.Generation &&
			(!o.Immediate || !k.RevokedAt.IsZero() || !k.ActiveFrom.After(now))
	})
}

// Backend signs with private keys that it never reveals.
type Backend interface {
	// Sign returns the JWS signature of input, as the bytes of RFC 7518 3: r||s for ES256,
	// PKCS#1 v1.5 for RS256. It uses exactly the version named by key.Ref. It returns
	// ErrKeyMissing if there is no such key; any other error means that the backend is down.
	Sign(ctx context.Context, key Key, input []byte) ([]byte, error)
}

// Maker creates keys. Only the keys service has one.
type Maker interface {
	// Create creates a private key and returns the backend's name for it and its public half.
	Create(ctx context.Context, alg Algorithm) (ref string, public crypto.PublicKey, err error)
	// Delete removes a private key that no longer signs, or whose row was never written. An
	// unknown ref isn't an error. A backend that can't delete a single key keeps it, which
	// isn't an error either.
	Delete(ctx context.Context, ref string) error
	// Reconcile is passed the whole schedule: at the start, before a key is made, and when its
	// row has been written. It looks for private keys of alg that no row refers to because
	// their maker was killed before it wrote one. A backend that can delete a single key
	// deletes such a key, but never one whose row may be about to be written, nor one that a
	// schedule once contained. Any other backend returns the key, with Ref and PublicKey set,
	// for use in the next row; several replicas may be given the same key. It returns nil if
	// there is none.
	Reconcile(ctx context.Context, alg Algorithm, schedule []Key) (*Key, error)
}

// Schedule reads the rows of signing_keys.
type Schedule interface {
	// Keys returns every key of the schedule by algorithm and generation, including retired and
	// revoked ones; the methods of Key report their state at a given time. An empty schedule
	// isn't an error.
	Keys(ctx context.Context) ([]Key, error)
}
