package vaulttransit

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/sony/gobreaker/v2"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Reason says why there is no signature.
type Reason string

// Reasons. MissingKey and BadVersion match signing.ErrKeyMissing, because a retry doesn't bring
// a key back. All others are temporary and have a method Unavailable that returns true.
const (
	Denied      Reason = "denied"      // the token is not valid, or its policy does not allow it
	Sealed      Reason = "sealed"      // the server is sealed
	MissingKey  Reason = "missing_key" // no such transit key or mount
	BadVersion  Reason = "bad_version" // the transit key does not have that version, or no longer signs with it
	Unreachable Reason = "unreachable" // no answer, no answer in time, or not from an active server
	Fault       Reason = "fault"       // the server failed, or sent an unexpected response
	Refused     Reason = "refused"     // the server considers the request, or one input, invalid
	LoggedOut   Reason = "logged_out"  // there is no token yet, or none any more
	QueueFull   Reason = "queue_full"  // the queue holds as many signatures as it may
	BreakerOpen Reason = "breaker_open"
	Closed      Reason = "closed" // the process is shutting down
)

// shortly is the default wait before a retry may help.
const shortly = time.Second

// Error says why there is no signature, or no key.
type Error struct {
	Reason Reason
	cause  error
}

func (e *Error) Error() string {
	text := "vault: " + strings.ReplaceAll(string(e.Reason), "_", " ")
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause, for errors.Is.
func (e *Error) Unwrap() error { return e.cause }

// Is matches signing.ErrKeyMissing if the key is gone, as opposed to the server being down.
func (e *Error) Is(target error) bool { return target == signing.ErrKeyMissing && e.keyMissing() }

// Unavailable makes the edge answer 503.
func (e *Error) Unavailable() bool { return !e.keyMissing() }

// RetryAfter returns the value for the Retry-After header.
func (*Error) RetryAfter() time.Duration { return shortly }

func (e *Error) keyMissing() bool { return e.Reason == MissingKey || e.Reason == BadVersion }

// serverAway reports whether the breaker counts an error: one of the server as a whole, not of
// a key, a policy or a caller.
func serverAway(err error) bool {
	var known *Error
	if !errors.As(err, &known) {
		return false
	}
	return known.Reason == Sealed || known.Reason == Unreachable || known.Reason == Fault
}

// classify assigns a reason to an error of the client. Vault answers 500 if the caller was
// wrong, 400 for a key it does not have, and 503 both when it is sealed and when another server
// is the active one, so the text has to decide. The end of the caller's own context isn't an
// error of Vault.
func classify(ctx context.Context, err error) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		if errors.As(context.Cause(ctx), &known) {
			return known // from Close
		}
		return ctx.Err()
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return &Error{Reason: BreakerOpen}
	}

	var answer *api.ResponseError
	if !errors.As(err, &answer) {
		return &Error{Reason: Unreachable, cause: err}
	}

	return &Error{Reason: reasonOf(answer.StatusCode, strings.Join(answer.Errors, "; ")), cause: answered(answer)}
}

func reasonOf(status int, text string) Reason {
	text = strings.ToLower(text)
	switch {
	case status == http.StatusForbidden, strings.Contains(text, "missing client token"):
		return Denied
	case strings.Contains(text, "sealed"):
		return Sealed
	case strings.Contains(text, "requested version"), strings.Contains(text, "key version"):
		return BadVersion
	case status == http.StatusBadRequest && strings.Contains(text, "key not found"), status == http.StatusNotFound:
		return MissingKey
	case status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable:
		return Fault
	case status == http.StatusBadRequest:
		return Refused
	default:
		// 429 of a quota, 412 and 47x of servers that aren't the active one, 503.
		return Unreachable
	}
}

// answered keeps the status and text of a response and drops the rest of a ResponseError, which
// has several lines.
func answered(answer *api.ResponseError) error {
	text := http.StatusText(answer.StatusCode)
	if len(answer.Errors) > 0 && !answer.RawError {
		text = strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " ")
	}
	return errors.New(text)
}
