package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEmail is the longest address that SMTP can deliver to (RFC 5321 4.5.3.1.3,
// less the angle brackets), in bytes.
const maxEmail = 254

// ParseEmail brings what a person typed to the form in which addresses are
// stored: without surrounding space, in lower case. It only refuses what cannot
// be an address at all; whether one exists shows when mail arrives.
func ParseEmail(typed string) (email string, ok bool) {
	email = strings.ToLower(strings.TrimSpace(typed))
	local, domain, found := strings.Cut(email, "@")
	if !found || local == "" || domain == "" || len(email) > maxEmail || !utf8.ValidString(email) {
		return "", false
	}
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return "", false
	}
	for _, r := range email {
		if unicode.IsSpace(r) || unicode.IsControl(r) || !unicode.IsPrint(r) {
			return "", false
		}
	}
	if strings.ContainsAny(domain, "@\"\\,;:<>()[]/?#%") {
		return "", false
	}
	return email, true
}

// EmailDomain is the part behind the @, the only part of an address that decides
// anything before its owner has signed in.
func EmailDomain(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	return domain
}
