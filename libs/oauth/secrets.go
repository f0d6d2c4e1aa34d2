package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// NewSecret reads 256 bits from random and returns them as 43 characters of unpadded base64url.
// Codes, cookies, refresh tokens and client secrets are made this way.
func NewSecret(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// HashSecret returns the SHA-256 of a random secret, the form in which it is stored. A slow
// hash would add nothing, because 256 random bits can't be guessed.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// SecretMatches compares a presented secret with a stored hash in constant time.
func SecretMatches(hash []byte, presented string) bool {
	sum := sha256.Sum256([]byte(presented))
	return subtle.ConstantTimeCompare(hash, sum[:]) == 1
}

var lowerBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewID reads 128 bits from random and returns prefix plus 26 lower-case characters. It makes
// "usr_", "tnt_" and "app_" identifiers, and grant and session ids.
func NewID(prefix string, random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return prefix + strings.ToLower(lowerBase32.EncodeToString(b[:])), nil
}
