package clientauth

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Error is a refusal. Its cause, found with errors.As, is the *oauth.Error that
// goes on the wire.
type Error struct {
	Err *oauth.Error
	// Challenge says that the Authorization header was tried, so that the answer
	// must carry WWW-Authenticate (RFC 6749 5.2): the constant Challenge.
	Challenge bool
	// Reused says that an assertion came twice (RFC 7523 3): somebody else may have
	// it.
	Reused bool
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the *oauth.Error.
func (e *Error) Unwrap() error { return e.Err }

func refuse(code oauth.Code, description string, challenge bool) *Error {
	return &Error{Err: &oauth.Error{Code: code, Description: description}, Challenge: challenge}
}

// invalidClient has the same words for whatever is wrong, so that nobody learns
// which applications exist.
func invalidClient(challenge bool) *Error {
	return refuse(oauth.InvalidClient, "client authentication failed", challenge)
}

// unknown stands in for an application that does not exist, so that looking for
// one costs the same comparison. Nothing hashes to it that anybody knows.
var unknown = directory.ApplicationSecret{Hash: make([]byte, 32)}

// Authenticate reports whether a secret, or the absence of one, is the application's
// own; nil is the answer yes. Assertions need an Authenticator: here they are
// refused. app is nil where the look-up found none, and must hold the
// secrets' hashes.
//
// An unknown or disabled application, a wrong, absent or expired secret and a
// secret from an application that has none are one and the same invalid_client.
// Only after that a TENANT application is an unauthorized_client: it exists, but
// not for the platform's endpoints. Every error is an *Error.
func Authenticate(app *directory.Application, c Credentials, now time.Time) error {
	if !authentic(app, c, now) {
		return invalidClient(c.Method == Basic)
	}
	return admitted(app)
}

// admitted refuses an application that has proven who it is, but is not for the
// platform's endpoints.
func admitted(app *directory.Application) error {
	if app.ScopeLevel != directory.Global {
		return refuse(oauth.UnauthorizedClient,
			"the application is limited to one tenant and cannot use this endpoint", false)
	}
	return nil
}

func authentic(app *directory.Application, c Credentials, now time.Time) bool {
	known := app != nil && app.Active
	secrets := []directory.ApplicationSecret{unknown}
	if known && len(app.Secrets) > 0 {
		secrets = app.Secrets
	}

	matched := c.matches(secrets, now)
	switch {
	case !known, c.Method == PrivateKeyJWT:
		return false
	case app.Public():
		return c.Secret == ""
	default:
		return matched && c.Secret != ""
	}
}

// matches compares with every secret there is, whichever matches first.
func (c Credentials) matches(secrets []directory.ApplicationSecret, now time.Time) bool {
	matched := false
	for _, s := range secrets {
		live := s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt)
		decoded := oauth.SecretMatches(s.Hash, c.Secret)
		raw := c.rawSecret != "" && oauth.SecretMatches(s.Hash, c.rawSecret)
		matched = matched || (live && (decoded || raw))
	}
	return matched
}
