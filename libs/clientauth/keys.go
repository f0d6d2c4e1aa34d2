package clientauth

import (
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const (
	// maxKeys bounds the number of keys of one application.
	maxKeys = 64
	// maxRSABits bounds the cost of verifying a signature.
	maxRSABits = 8192
)

// KeySet holds the public keys of one application, from a JWK Set (RFC 7517 5), without those
// that can't verify any signature accepted here.
type KeySet struct{ keys []verifyingKey }

type verifyingKey struct {
	kid    string
	alg    string // empty: any algorithm that fits
	public crypto.PublicKey
}

// ParseKeySet parses a JWK Set. Keys that are of unknown kinds, for encryption, too short or
// malformed are skipped, as RFC 7517 5 asks. A set with a private or symmetric key is refused
// as a whole, because it should be replaced, not used. A set without a usable key isn't an
// error; check Len.
func ParseKeySet(raw []byte) (*KeySet, error) {
	var document struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &document); err != nil || document.Keys == nil {
		return nil, errors.New("clientauth: not a JWK Set: a JSON object with a member keys, an array")
	}

	if len(*document.Keys) > maxKeys {
		return nil, fmt.Errorf("clientauth: more than %d keys", maxKeys)
	}

	set := &KeySet{}
	for i, jwk := range *document.Keys {
		if secret(jwk) {
			return nil, fmt.Errorf("clientauth: key %d of the JWK Set is private or symmetric", i)
		}

		var key struct {
			KID string   `json:"kid"`
			Alg string   `json:"alg"`
			Use string   `json:"use"`
			Ops []string `json:"key_ops"`
		}
		if err := json.Unmarshal(jwk, &key); err != nil {
			continue
		}

		public, err := signing.ParsePublicJWK(jwk)
		if err != nil || (key.Use != "" && key.Use != "sig") ||
			(key.Ops != nil && !slices.Contains(key.Ops, "verify")) || !affordable(public) {
			continue
		}

		set.keys = append(set.keys, verifyingKey{kid: key.KID, alg: key.Alg, public: public})
	}

	return set, nil
}

// secret reports whether a key has a private member, even if it is otherwise malformed (RFC
// 7518 6.2.2, 6.3.2, 6.4.1).
func secret(jwk json.RawMessage) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(jwk, &members) != nil {
		return false
	}

	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, there := members[name]; there {
			return true
		}
	}

	return false
}

func affordable(public crypto.PublicKey) bool {
	key, isRSA := public.(*rsa.PublicKey)
	return !isRSA || key.N.BitLen() <= maxRSABits
}

// Len returns the number of keys that may verify a signature.
func (s *KeySet) Len() int {
	n := 0
	for _, k := range s.keys {
		if slices.ContainsFunc([]signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA},
			k.fits) {
			n++
		}
	}
	return n
}

// Has reports whether the set has a key with the given kid.
func (s *KeySet) Has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k verifyingKey) bool { return k.kid == kid })
}

// candidates returns the keys that may have made a signature. Without a kid the key must be
// unambiguous (OpenID Connect Core 10.1).
func (s *KeySet) candidates(alg signing.Algorithm, kid string) []crypto.PublicKey {
	var list []crypto.PublicKey
	for _, k := range s.keys {
		if k.fits(alg) && (kid == "" || k.kid == kid) {
			list = append(list, k.public)
		}
	}

	if kid == "" && len(list) > 1 {
		return nil
	}

	return list
}

func (k verifyingKey) fits(alg signing.Algorithm) bool {
	return alg.Fits(k.public) && (k.alg == "" || k.alg == string(alg))
}
