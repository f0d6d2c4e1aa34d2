package signing

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Verify verifies a compact JWS. It must be signed by a key of this platform that is neither
// retired nor revoked, with that key's algorithm whatever the token says (RFC 8725 3.1), and be
// of one of the given types (RFC 8725 3.11). Verify returns the payload, which the ring remembers
// and the caller must not modify; checking its claims, including exp, is up to the caller. The
// error is ErrInvalid, ErrNoKey while the ring is empty, or one that reports Unavailable if ctx
// ended while the schedule was being read because of an unknown kid.
//
// A token whose signature was good is remembered until it expires or its key is revoked, and its
// signature isn't checked again meanwhile.
func (r *Ring) Verify(ctx context.Context, token string, types ...string) ([]byte, error) {
	return r.verify(ctx, token, types, (*Key).Verifies)
}

// Hints verifies tokens that may be older than the keys in use: id_token_hint (OpenID Connect
// RP-Initiated Logout 2, OpenID Connect Core 3.1.2.1), which is accepted however long ago it
// expired. The public halves of retired keys are kept as long as a session may live; revoked
// keys are never accepted.
type Hints struct{ ring *Ring }

// Hints returns a verifier of hints that uses the ring's keys.
func (r *Ring) Hints() *Hints { return &Hints{r} }

// Verify is Ring.Verify, but also accepts retired keys.
func (h *Hints) Verify(ctx context.Context, token string, types ...string) ([]byte, error) {
	return h.ring.verify(ctx, token, types, func(key *Key, _ time.Time) bool { return key.RevokedAt.IsZero() })
}

// Ready is Ring.Ready.
func (h *Hints) Ready() error { return h.ring.Ready() }

// judge reports whether the signatures of a key are accepted at a given time.
type judge func(key *Key, now time.Time) bool

func (r *Ring) verify(ctx context.Context, token string, types []string, counts judge) ([]byte, error) {
	if len(token) > MaxToken {
		return nil, ErrInvalid
	}

	id := tokenID(sha256.Sum256([]byte(token)))
	if known, ok := r.seen.find(id, r.now(), counts); ok {
		r.lookups.Hit()
		if !typeAmong(known.typ, types) {
			return nil, ErrInvalid
		}
		return known.payload, nil
	}

	if !wellFormed(token) {
		return nil, ErrInvalid
	}

	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrInvalid
	}

	header := jws.Signatures[0].Protected
	if !TypeIn(header, types...) || header.KeyID == "" {
		return nil, ErrInvalid
	}

	key, err := r.verifyingKey(ctx, header.KeyID, counts)
	if err != nil {
		return nil, err
	}

	// With the algorithm pinned to the key's, the header leaves go-jose no choice.
	if header.Algorithm != string(key.Algorithm.JWS()) || !key.maySign(typ(header)) {
		return nil, ErrInvalid
	}

	r.lookups.Miss()
	payload, err := jws.Verify(key.PublicKey)
	if err != nil {
		return nil, ErrInvalid
	}

	r.seen.add(id, r.now(), key, typ(header), payload)
	return payload, nil
}

func (r *Ring) verifyingKey(ctx context.Context, kid string, counts judge) (*Key, error) {
	current := r.current.Load()
	key, ok := current.byKID[kid]
	if !ok {
		current = r.reloadOnMiss(ctx, current)
		if key, ok = current.byKID[kid]; !ok && ctx.Err() != nil {
			return nil, &unavailableError{what: "signing: look for an unknown key", cause: ctx.Err()}
		}
	}

	switch {
	case ok && counts(key, r.now()):
		return key, nil
	case current.empty():
		return nil, ErrNoKey
	default:
		return nil, ErrInvalid
	}
}

// wellFormed accepts base64url and dots only. Go's decoder skips line breaks, which would let
// one token be written in many ways.
func wellFormed(token string) bool {
	for i := range len(token) {
		switch c := token[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}

	return true
}

// TypeIn reports whether a header's typ is one of the given types. Media types are compared as in
// RFC 7515 4.1.9: case is ignored, and "application/" may be left out if no other slash follows.
func TypeIn(header jose.Header, types ...string) bool { return typeAmong(typ(header), types) }

func typeAmong(is string, types []string) bool {
	for _, want := range types {
		if is != "" && strings.EqualFold(is, shortType(want)) {
			return true
		}
	}
	return false
}

// typ returns the short form of a header's media type.
func typ(header jose.Header) string {
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	return shortType(typ)
}

// maySign reports whether the key may sign tokens of a type. A key for logout tokens can't make
// any other token valid, even if the key is stolen.
func (k *Key) maySign(typ string) bool {
	return !k.Algorithm.ForLogout() || strings.EqualFold(typ, TypeLogoutToken)
}

func shortType(typ string) string {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) &&
		!strings.Contains(typ[len(prefix):], "/") {
		return typ[len(prefix):]
	}
	return typ
}
