package clientauth

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Error is a refusal. Its cause, found with errors.As, is the *oauth.Error to send to the
// client.
type Error struct {
	Err *oauth.Error
	// Challenge is set if the client tried the Authorization header, so that the response must
	// carry WWW-Authenticate (RFC 6749 5.2) with the constant Challenge.
	Challenge bool
	// Reused is set if an assertion was sent twice (RFC 7523 3), which may mean that it was
	// stolen.
	Reused bool
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the *oauth.Error.
func (e *Error) Unwrap() error { return e.Err }

func refuse(code oauth.Code, description string, challenge bool) *Error {
	return &Error{Err: &oauth.Error{Code: code, Description: description}, Challenge: challenge}
}

// invalidClient uses the same words whatever is wrong, so as not to reveal which applications
// exist.
func invalidClient(challenge bool) *Error {
	return refuse(oauth.InvalidClient, "client authentication failed", challenge)
}

// unknown stands in for an application that does not exist, so that looking for one costs the
// same comparison. No known secret hashes to it.
var unknown = directory.ApplicationSecret{Hash: make([]byte, 32)}

// Authenticate returns nil if the secret, or its absence, is right for the application.
// Assertions need an Authenticator; this function refuses them. app is nil if the look-up found
// no application, and must hold the secrets' hashes.
//
// An unknown or disabled application, a wrong, absent or expired secret, and a secret from an
// application that has none all give the same invalid_client. Only after that is a TENANT
// application refused, as an unauthorized_client: it exists, but may not use the platform's
// endpoints. Every error is an *Error.
func Authenticate(app *directory.Application, c Credentials, now time.Time) error {
	if !authentic(app, c, now) {
		return invalidClient(c.Method == Basic)
	}
	return admitted(app)
}

// admitted refuses an application that has authenticated but may not use the platform's
// endpoints.
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

// matches compares with every secret, even after one has matched.
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
