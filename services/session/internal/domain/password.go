package domain

import (
	"strings"
	"unicode/utf8"
)

// Bounds of a new password: the minimum in characters (NIST SP 800-63B 5.1.1.2), the
// maximum in bytes.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// PasswordProblem is the reason why a new password is refused, or empty if it is accepted.
type PasswordProblem string

// Password problems.
const (
	PasswordFine     PasswordProblem = ""
	PasswordShort    PasswordProblem = "short"
	PasswordLong     PasswordProblem = "long"
	PasswordEmail    PasswordProblem = "email"    // same as the person's address
	PasswordRepeated PasswordProblem = "repeated" // the repetition differs
	PasswordCurrent  PasswordProblem = "current"  // the current one is wrong
	PasswordStale    PasswordProblem = "stale"    // the password was changed elsewhere meanwhile
)

// CheckNewPassword checks a password that a person wants to change to.
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
