package vaulttransit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// verify looks at one signature of each request: whether Vault signs with the key
// that the schedule has published. One that was deleted and made again has the same
// name and version, and takes its place from one request to the next; nobody could
// use what it signs. All of a request are signed by one key, so that one tells, and
// it costs what a small part of the request does.
func verify(v version, batch []*item) error {
	for _, i := range batch {
		if i.err != nil || i.public == nil {
			continue
		}
		if !verifies(v.alg, i.public, i.input, i.signature) {
			return &Error{Reason: MissingKey, cause: errors.New(v.ref() + " is another key than the schedule says")}
		}
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
