package localkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const rsaBits = 2048

// generate creates a key. It always uses the system's randomness, because these keys outlive
// every test.
func generate(alg signing.Algorithm) (crypto.Signer, error) {
	switch alg.JWS() {
	case signing.RS256, signing.PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case signing.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case signing.EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return nil, fmt.Errorf("local signing keys: unknown algorithm %q", alg)
	}
}

// sign returns the signature bytes of RFC 7518 3 and RFC 8037 3.1.
func sign(signer crypto.Signer, alg signing.Algorithm, input []byte) ([]byte, error) {
	alg = alg.JWS()
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		digest := sha256.Sum256(input)
		switch alg {
		case signing.RS256:
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		case signing.PS256:
			// RFC 7518 3.5: the salt is as long as the hash.
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:],
				&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		default:
		}
	case *ecdsa.PrivateKey:
		if alg == signing.ES256 {
			return signES256(key, input)
		}
	case ed25519.PrivateKey:
		if alg == signing.EdDSA {
			return ed25519.Sign(key, input), nil
		}
	}

	return nil, fmt.Errorf("%w: a %T does not sign %s", signing.ErrKeyMissing, signer, alg)
}

// signES256 returns r and s as 32 bytes each (RFC 7518 3.4).
func signES256(key *ecdsa.PrivateKey, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return nil, err
	}

	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature, nil
}
