package signing

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// snapshot is the schedule as read once. It is immutable, so readers need no lock.
type snapshot struct {
	keys    []Key // by algorithm and generation
	byKID   map[string]*Key
	signers map[Algorithm][]*signer // latest ActiveFrom first
}

// signer is a key with its JOSE headers, encoded once.
type signer struct {
	key     Key
	headers map[string]string // by typ: base64url of the protected header
}

func newSnapshot(keys []Key) (*snapshot, error) {
	s := &snapshot{
		// A newer version may know more algorithms; ignore their keys.
		keys:    slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return !k.Algorithm.Known() }),
		byKID:   make(map[string]*Key, len(keys)),
		signers: make(map[Algorithm][]*signer),
	}

	slices.SortFunc(s.keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Generation, b.Generation))
	})

	for i := range s.keys {
		key := &s.keys[i]
		// A tampered row must not make an attacker's key valid under a known kid, or let an RSA
		// key verify as another algorithm.
		if !key.Algorithm.Fits(key.PublicKey) || key.KID != Thumbprint(key.PublicKey) {
			return nil, fmt.Errorf("signing: key %s of the schedule does not fit its algorithm or kid", key.KID)
		}

		s.byKID[key.KID] = key
		s.signers[key.Algorithm] = append(s.signers[key.Algorithm], newSigner(*key))
	}

	for _, list := range s.signers {
		slices.SortFunc(list, func(a, b *signer) int {
			return cmp.Or(b.key.ActiveFrom.Compare(a.key.ActiveFrom), cmp.Compare(b.key.Generation, a.key.Generation))
		})
	}

	return s, nil
}

// active returns the key that signs at now, or nil.
func (s *snapshot) active(alg Algorithm, now time.Time) *signer {
	for _, candidate := range s.signers[alg] {
		if candidate.key.Signs(now) {
			return candidate
		}
	}
	return nil
}

// inUse reports whether a key of the algorithm has ever become active, even if it is revoked or
// retired by now.
func (s *snapshot) inUse(alg Algorithm, now time.Time) bool {
	return slices.ContainsFunc(s.signers[alg], func(c *signer) bool { return !now.Before(c.key.ActiveFrom) })
}

// trusts reports whether the schedule has the key and it isn't revoked.
func (s *snapshot) trusts(kid string) bool {
	key, ok := s.byKID[kid]
	return ok && key.RevokedAt.IsZero()
}

func (s *snapshot) empty() bool { return len(s.keys) == 0 }

func newSigner(key Key) *signer {
	s := &signer{key: key, headers: make(map[string]string, 3)}
	for _, typ := range []string{TypeJWT, TypeAccessToken, TypeLogoutToken} {
		s.headers[typ] = encodeHeader(key, typ)
	}
	return s
}

func (s *signer) header(typ string) string {
	if header, ok := s.headers[typ]; ok {
		return header
	}
	return encodeHeader(s.key, typ)
}

// encodeHeader encodes the protected header of RFC 7515 4.1. typ is a constant in the caller's
// code; alg and kid need no escaping.
func encodeHeader(key Key, typ string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`,
		key.Algorithm.JWS(), key.KID, typ))
}

// algorithms are all algorithms a token may name. The key determines which of them it must be.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
