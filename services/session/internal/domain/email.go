package domain

import (
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// ParseEmail brings what a person typed to the form in which addresses are stored,
// by the one rule of directory.ParseEmail.
func ParseEmail(typed string) (email string, ok bool) { return directory.ParseEmail(typed) }

// EmailDomain is the part behind the @, the only part of an address that decides
// anything before its owner has signed in.
func EmailDomain(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	return domain
}
