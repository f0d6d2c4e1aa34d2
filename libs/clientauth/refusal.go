package clientauth

import (
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

// Refusal returns the audit event kind for an error of an Authenticator. It returns false if
// the error shouldn't be recorded: it isn't a refusal, or the client went on while it was
// blocked, in which case an attack could fill the trail.
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
