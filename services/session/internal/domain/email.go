package domain

import (
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// ParseEmail converts a typed address to the form in which addresses are stored, following
// directory.ParseEmail.
func ParseEmail(typed string) (email string, ok bool) { return directory.ParseEmail(typed) }

// EmailDomain returns the part after the @. It is the only part of an address that affects
// anything before its owner has signed in.
func EmailDomain(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	return domain
}
