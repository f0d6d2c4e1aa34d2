package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// PseudonymLabel is the label that the keys of pseudonyms are derived with.
const PseudonymLabel = "audit-pseudonym"

// Pseudonym returns what stands in the trail for an address that was typed: a keyed
// hash, so that the trail, and wherever it is exported to, says neither the address
// nor whether it is an account's, and yet counts the failures of one address
// together. The address is compared as sign-in compares it, in lower case. Without
// a key it is empty.
func Pseudonym(key []byte, address string) string {
	if len(key) == 0 || address == "" {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.ToLower(strings.TrimSpace(address))))
	return "acc_" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:15]))
}
