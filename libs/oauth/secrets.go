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

// NewSecret reads 256 bits from random and returns them as 43 characters of
// unpadded base64url: codes, cookies, refresh tokens, client secrets.
func NewSecret(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// HashSecret is how a random secret is stored: its SHA-256. A slow hash would
// protect nothing, for 256 random bits cannot be guessed.
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

// NewID reads 128 bits from random and returns prefix plus 26 lower-case
// characters: "usr_", "tnt_", "app_" identifiers, grant and session ids.
func NewID(prefix string, random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return prefix + strings.ToLower(lowerBase32.EncodeToString(b[:])), nil
}
