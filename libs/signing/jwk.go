package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // for the thumbprint's SHA-256
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Known reports whether a is an algorithm that this platform supports.
func (a Algorithm) Known() bool {
	switch a.JWS() {
	case RS256, PS256, ES256, EdDSA:
		return true
	default:
		return false
	}
}

// Fits reports whether public is a key that can be used with a: RSA of at least 2048 bits (RFC
// 7518 3.3, 3.5), P-256 (RFC 7518 3.4) or Ed25519 (RFC 8037 3.1).
func (a Algorithm) Fits(public crypto.PublicKey) bool {
	a = a.JWS()
	switch key := public.(type) {
	case *rsa.PublicKey:
		return (a == RS256 || a == PS256) && key.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		return a == ES256 && key.Curve.Params().BitSize == 256
	case ed25519.PublicKey:
		return a == EdDSA && len(key) == ed25519.PublicKeySize
	default:
		return false
	}
}

// Thumbprint returns the base64url SHA-256 thumbprint of a public key (RFC 7638 3, RFC 8037
// appendix A.3), which is its kid everywhere. It is empty for a kind of key that no Algorithm
// uses.
func Thumbprint(public crypto.PublicKey) string {
	jwk := jose.JSONWebKey{Key: public}
	if !jwk.IsPublic() {
		return ""
	}

	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// PublicJWK returns the public half of a key as a JWK (RFC 7517 4), with kid, alg and use=sig.
// It fails for a key that does not fit its algorithm, so that a private key can never be
// encoded.
func PublicJWK(k Key) (json.RawMessage, error) {
	if !k.Algorithm.Fits(k.PublicKey) {
		return nil, fmt.Errorf("signing: key %s (%T) does not fit %s", k.KID, k.PublicKey, k.Algorithm)
	}

	raw, err := jose.JSONWebKey{
		Key:       k.PublicKey,
		KeyID:     k.KID,
		Algorithm: string(k.Algorithm.JWS()),
		Use:       "sig",
	}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("signing: write public key %s: %w", k.KID, err)
	}

	return raw, nil
}

// ParsePublicJWK parses the output of PublicJWK. It refuses private and symmetric keys.
func ParsePublicJWK(raw []byte) (crypto.PublicKey, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("signing: read public key: %w", err)
	}
	if !jwk.IsPublic() || !jwk.Valid() {
		return nil, errors.New("signing: not a public key")
	}
	return jwk.Key, nil
}
