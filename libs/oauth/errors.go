package oauth

import (
	"context"
	"errors"
	"fmt"
)

// Code is an error code as it travels on the wire.
type Code string

// Error codes and where they are defined.
const (
	InvalidRequest          Code = "invalid_request"           // RFC 6749 4.1.2.1, 5.2
	InvalidClient           Code = "invalid_client"            // RFC 6749 5.2
	InvalidGrant            Code = "invalid_grant"             // RFC 6749 5.2
	UnauthorizedClient      Code = "unauthorized_client"       // RFC 6749 5.2
	UnsupportedGrantType    Code = "unsupported_grant_type"    // RFC 6749 5.2
	UnsupportedResponseType Code = "unsupported_response_type" // RFC 6749 4.1.2.1
	InvalidScope            Code = "invalid_scope"             // RFC 6749 5.2
	AccessDenied            Code = "access_denied"             // RFC 6749 4.1.2.1
	ServerError             Code = "server_error"              // RFC 6749 4.1.2.1
	TemporarilyUnavailable  Code = "temporarily_unavailable"   // RFC 6749 4.1.2.1
	InvalidToken            Code = "invalid_token"             // RFC 6750 3.1
	InsufficientScope       Code = "insufficient_scope"        // RFC 6750 3.1
	InvalidTarget           Code = "invalid_target"            // RFC 8707 2
	UnsupportedTokenType    Code = "unsupported_token_type"    // RFC 7009 2.2.1
	AuthorizationPending    Code = "authorization_pending"     // RFC 8628 3.5
	SlowDown                Code = "slow_down"                 // RFC 8628 3.5
	ExpiredToken            Code = "expired_token"             // RFC 8628 3.5
	TooManyRequests         Code = "too_many_requests"         // this platform's own, for HTTP 429 (RFC 6585 4)

	// OpenID Connect Core 3.1.2.6.
	LoginRequired            Code = "login_required"
	ConsentRequired          Code = "consent_required"
	InteractionRequired      Code = "interaction_required"
	AccountSelectionRequired Code = "account_selection_required"
	RequestNotSupported      Code = "request_not_supported"
	RequestURINotSupported   Code = "request_uri_not_supported"
)

// Status returns the HTTP status of an error answered directly, not by redirect: RFC 6749 5.2
// for the token endpoint, RFC 6750 3.1 for bearer tokens, RFC 6585 4 for too many requests.
func (c Code) Status() int {
	switch c {
	case InvalidClient, InvalidToken:
		return 401
	case InsufficientScope:
		return 403
	case TooManyRequests:
		return 429
	case ServerError:
		return 500
	case TemporarilyUnavailable:
		return 503
	default:
		return 400
	}
}

// Error is the one error that the edge turns into a response document. Description is for the
// client's developer and is safe to show; Cause is for the log only.
type Error struct {
	Code        Code
	Description string
	// StatusOverride replaces Code.Status() if not zero (413, for instance).
	StatusOverride int
	Cause          error
}

// Errorf returns an Error whose description is safe to show to the caller. RFC 6749 5.2 allows
// printable ASCII without the quote and the backslash, so never format untrusted input into it.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Description: fmt.Sprintf(format, args...)}
}

// Unavailable returns the error for callers when a dependency is down. The cause goes to the
// log.
func Unavailable(cause error) *Error {
	return &Error{
		Code:        TemporarilyUnavailable,
		Description: "the service is temporarily unavailable, try again shortly",
		Cause:       cause,
	}
}

// IsUnavailable reports whether err means that a dependency is down or too slow, so that the same
// call may succeed later: the error has a method Unavailable() bool that returns true, or a
// deadline was exceeded.
func IsUnavailable(err error) bool {
	var u interface{ Unavailable() bool }
	return (errors.As(err, &u) && u.Unavailable()) || errors.Is(err, context.DeadlineExceeded)
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Description
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause, for errors.Is.
func (e *Error) Unwrap() error { return e.Cause }

// Status returns the HTTP status that this error is answered with.
func (e *Error) Status() int {
	if e.StatusOverride != 0 {
		return e.StatusOverride
	}
	return e.Code.Status()
}
