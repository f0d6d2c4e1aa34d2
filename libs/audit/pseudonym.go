package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// PseudonymLabel is the label for deriving the keys of pseudonyms.
const PseudonymLabel = "audit-pseudonym"

// Pseudonym returns the keyed hash that stands in the trail for an address that was entered. So
// neither the trail nor an export of it reveals the address or whether it belongs to an
// account, but the failures of one address can still be counted together. The address is
// compared as at sign-in, in lower case. Without a key the pseudonym is empty.
func Pseudonym(key []byte, address string) string {
	if len(key) == 0 || address == "" {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.ToLower(strings.TrimSpace(address))))
	return "acc_" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:15]))
}
