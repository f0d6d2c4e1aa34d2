package domain

import (
	"strings"
	"unicode/utf8"
)

// Bounds of a new password: characters at least (NIST SP 800-63B 5.1.1.2), bytes
// at most.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// PasswordProblem is why a new password is refused; empty: it is not.
type PasswordProblem string

// Password problems.
const (
	PasswordFine     PasswordProblem = ""
	PasswordShort    PasswordProblem = "short"
	PasswordLong     PasswordProblem = "long"
	PasswordEmail    PasswordProblem = "email"    // it is the person's address
	PasswordRepeated PasswordProblem = "repeated" // typed differently the second time
	PasswordCurrent  PasswordProblem = "current"  // the current one is wrong
	PasswordStale    PasswordProblem = "stale"    // it was changed elsewhere meanwhile
)

// CheckNewPassword judges a password that a person wants to have.
func CheckNewPassword(password, repeated, email string) PasswordProblem {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return PasswordShort
	case len(password) > MaxPassword:
		return PasswordLong
	case strings.EqualFold(strings.TrimSpace(password), email):
		return PasswordEmail
	case password != repeated:
		return PasswordRepeated
	default:
		return PasswordFine
	}
}
