package vaulttransit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// recheck is how long a verified signature of a version vouches for later ones. Verifying each
// signature would cost one caller a sixth of the time that Vault takes. A key that an operator
// deletes and the keys service creates again is missing for longer than this in between, and a
// request that finds the key missing makes the next one verify again.
const recheck = 100 * time.Millisecond

// verify checks that Vault signs with the key published in the schedule. A key that was deleted
// and created again has the same name and version, but its signatures would be useless. All
// signatures of a request are by one key, so checking one is enough.
func (e *Engine) verify(v version, batch []*item) error {
	if at, ok := e.checked.Load(v); ok && e.now().Sub(at.(time.Time)) < recheck { //nolint:forcetypeassert // the map holds nothing else
		return nil
	}

	for _, i := range batch {
		if i.err != nil || i.public == nil {
			continue
		}
		if !verifies(v.alg, i.public, i.input, i.signature) {
			return &Error{Reason: MissingKey, cause: errors.New(v.ref() + " is another key than the schedule says")}
		}

		e.checked.Store(v, e.now())
		return nil
	}

	return nil
}

// verifies checks the signature bytes of RFC 7518 3 and RFC 8037 3.1 over what was sent to
// Vault.
func verifies(alg signing.Algorithm, public crypto.PublicKey, input, signature []byte) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if alg == signing.PS256 {
			return rsa.VerifyPSS(key, crypto.SHA256, input, signature, &rsa.PSSOptions{SaltLength: sha256.Size}) == nil
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, input, signature) == nil
	case *ecdsa.PublicKey:
		if len(signature) != 64 {
			return false
		}
		return ecdsa.Verify(key, input, new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(key, input, signature)
	default:
		return false
	}
}
