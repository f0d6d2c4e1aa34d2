package clientauth

import (
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

// Refusal says what an error of an Authenticator is to the audit trail. false
// where it is nothing to tell: that somebody goes on while they are blocked, for a
// flood shall not become a flood of rows, and what is no refusal.
func Refusal(err error) (kind audit.Kind, tell bool) {
	if limited, ok := errors.AsType[*Limited](err); ok {
		return audit.ClientBlocked, limited.Counted
	}

	refusal, ok := errors.AsType[*Error](err)
	if ok && refusal.Reused {
		return audit.AssertionReused, true
	}
	return audit.ClientRefused, ok
}
