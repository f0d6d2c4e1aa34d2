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

// recheck is how long a verified signature of a version speaks for the next ones.
// Verifying each would cost one caller a sixth of the time that Vault takes; a key
// that is deleted and made again by an operator and the keys service was missing in
// between for longer, and whoever finds it missing verifies again.
const recheck = 100 * time.Millisecond

// verify looks whether Vault signs with the key that the schedule has published: one
// that was deleted and made again has the same name and version, and nobody could use
// what it signs. All signatures of a request are by one key, so that one tells.
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

// verifies checks the signature bytes of RFC 7518 3 and RFC 8037 3.1 over what Vault
// was sent.
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
