package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// PKCEMethodS256 is the only code challenge method supported. plain protects nothing that a
// stolen request doesn't already reveal (RFC 9700 2.1.1).
const PKCEMethodS256 = "S256"

// ValidPKCE reports whether s has the form of a code challenge or code verifier:
// 43 to 128 unreserved characters (RFC 7636 4.1, 4.2).
func ValidPKCE(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}

	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}

	return true
}

// VerifyS256 reports whether verifier hashes to challenge (RFC 7636 4.6), in
// constant time.
func VerifyS256(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	var want [43]byte
	base64.RawURLEncoding.Encode(want[:], sum[:])
	return subtle.ConstantTimeCompare([]byte(challenge), want[:]) == 1
}
