package httpkit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// MissingError reports absent required parameters. Fail answers it with 422 and
// HTTPValidationError.
type MissingError struct {
	In    string   // "query", "body" or "header"
	Names []string // in declaration order
}

func (e *MissingError) Error() string {
	return "missing in " + e.In + ": " + strings.Join(e.Names, ", ")
}

// Problem is a failure as shown to a person or a program.
type Problem struct {
	Status int
	// Code is the OAuth error code. It is empty for an unknown path (404) and a wrong method
	// (405).
	Code oauth.Code
	// Description is one sentence for the developer, printable ASCII without
	// quote and backslash (RFC 6749 5.2).
	Description string
	// Missing names the absent parameters of a 422.
	Missing []string
	// Reference identifies this failure in the logs: the trace id, or a random number.
	Reference string
	// Address is the client's address; see ClientAddr.
	Address netip.Addr
	// ForwardedIgnored is set if an untrusted peer sent X-Forwarded-For, so that Address is
	// that peer's.
	ForwardedIgnored bool
}

// problemBody is the JSON form of every failure.
type problemBody struct {
	Detail           any        `json:"detail,omitempty"`
	Error            oauth.Code `json:"error,omitempty"`
	ErrorDescription string     `json:"error_description,omitempty"`
}

// validationError is ValidationError of openapi.yaml.
type validationError struct {
	Type  string    `json:"type"`
	Loc   [2]string `json:"loc"`
	Msg   string    `json:"msg"`
	Input any       `json:"input"`
}

// Fail ends a request with an error. It is the only writer of errors:
//
//   - *MissingError: 422 with HTTPValidationError, error and error_description
//   - *oauth.Error: its status and RFC 6749 5.2 document
//   - an error that oauth.IsUnavailable: 503 temporarily_unavailable with Retry-After
//   - an error with a method RetryAfter() time.Duration, such as *limits.Error: 429
//     too_many_requests (RFC 6585 4) with Retry-After
//   - anything else: 500 server_error
//
// On a route for browsers (Route.Pages), a caller that prefers text/html gets the same as a
// page, if Options has an ErrorPage; on other routes Accept is ignored. Headers that the caller
// has set (WWW-Authenticate, Retry-After) are kept. Otherwise Retry-After is the error's
// RetryAfter, in whole seconds rounded up, or one second if there is none. Causes go to the log
// and nowhere else.
func Fail(c *gin.Context, err error) {
	x := exchangeOf(c)
	p, body := describe(c.Request.Context(), err, x.edge.maxBody)
	p.Reference, p.Address, p.ForwardedIgnored = x.ref(), ClientAddr(c), forwardedIgnored(c.Request, x.edge.trusted)
	x.logFailure(c, p, err)

	if p.Status == http.StatusTooManyRequests {
		Limited(c, err)
	}

	c.Abort()

	if c.Writer.Written() {
		return
	}

	if wait := retryAfter(p.Status, err); wait != "" && c.Writer.Header().Get("Retry-After") == "" {
		c.Header("Retry-After", wait)
	}

	x.answer(c, p, body)
}

// describe returns the parts of an error that may be shown.
func describe(ctx context.Context, err error, maxBody int64) (Problem, problemBody) {
	if missing := (*MissingError)(nil); errors.As(err, &missing) {
		return describeMissing(missing)
	}

	if maxErr := (*http.MaxBytesError)(nil); errors.As(err, &maxErr) {
		err = tooLarge(maxBody, err)
	}

	known := (*oauth.Error)(nil)
	switch {
	case errors.As(err, &known):
	case oauth.IsUnavailable(err), ctx.Err() != nil && errors.Is(err, context.Canceled):
		known = oauth.Unavailable(err)
	case errors.As(err, new(waiter)):
		known = &oauth.Error{
			Code:        oauth.TooManyRequests,
			Description: "too many failed attempts; wait before the next one",
		}
	default:
		known = &oauth.Error{Code: oauth.ServerError, Description: "the server met an unexpected condition"}
	}

	p := Problem{Status: known.Status(), Code: known.Code, Description: sanitize(known.Description)}
	return p, problemBody{Error: p.Code, ErrorDescription: p.Description}
}

func describeMissing(missing *MissingError) (Problem, problemBody) {
	p := Problem{Status: http.StatusUnprocessableEntity, Code: oauth.InvalidRequest, Missing: missing.Names}
	p.Description = sanitize("required and missing: " + strings.Join(missing.Names, ", "))
	detail := make([]validationError, len(missing.Names))
	for i, name := range missing.Names {
		detail[i] = validationError{Type: "missing", Loc: [2]string{missing.In, name}, Msg: "Field required"}
	}
	return p, problemBody{Detail: detail, Error: p.Code, ErrorDescription: p.Description}
}

// waiter is an error that knows when a retry may help.
type waiter interface {
	error
	RetryAfter() time.Duration
}

// retryAfter returns the Retry-After header of a response that invites a retry (RFC 9110
// 10.2.3): whole seconds, rounded up so that the retry doesn't come too early. It is empty for
// responses that a retry doesn't change.
func retryAfter(status int, err error) string {
	w, ok := errors.AsType[waiter](err)
	switch {
	case ok && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable):
		return strconv.FormatInt(max(1, int64((w.RetryAfter()+time.Second-1)/time.Second)), 10)
	case status == http.StatusServiceUnavailable:
		return "1"
	}
	return ""
}

// sanitize restricts a description to the characters of RFC 6749 5.2: %x20-21 / %x23-5B /
// %x5D-7E.
func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\':
			return '/'
		case r < 0x20 || r > 0x7e:
			return '?'
		default:
			return r
		}
	}, s)
}

// answer writes a problem as JSON or as a page.
func (x *exchange) answer(c *gin.Context, p Problem, body problemBody) {
	NoStore(c)

	h := c.Writer.Header()
	h.Set("X-Request-Id", p.Reference)

	if p.Status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // the rest of the body is not read
	}

	x.readable(c)

	if x.edge.page != nil && x.route.pages {
		h.Add("Vary", "Accept")
		// A response to HEAD must have no body, and a page has one.
		if !x.inPage && !x.plain && c.Request.Method != http.MethodHead && WantsHTML(c.Request) {
			x.inPage = true
			x.edge.page(c.Writer, c.Request, p)
			return
		}
	}

	// An error means that the caller has gone.
	_ = WriteJSON(c.Writer, p.Status, body)
}

// logFailure logs what the caller must not see. A mistake of the caller is logged at debug
// level, a fault of the platform as an error.
func (x *exchange) logFailure(c *gin.Context, p Problem, err error) {
	ctx := c.Request.Context()

	if x.span.IsRecording() && p.Code != "" {
		x.span.SetAttributes(attribute.String("oauth.error", string(p.Code)))
	}

	level := slog.LevelDebug
	switch {
	case errors.Is(err, context.Canceled):
	case p.Status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case p.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	}

	if !x.edge.log.Enabled(ctx, level) {
		return
	}

	attrs := []slog.Attr{
		slog.String("method", x.route.method),
		slog.String("route", x.route.path),
		slog.Int("status", p.Status),
		slog.String("code", string(p.Code)),
		slog.String("reference", p.Reference),
		slog.Any("cause", err),
	}
	if pe := (*panicError)(nil); errors.As(err, &pe) {
		attrs = append(attrs, slog.String("stack", pe.stack))
	}

	x.edge.log.LogAttrs(ctx, level, "request failed", attrs...)
}

// NotFound answers 404 as for an unknown path, for something that a handler looks up by name
// (such as a file).
func NotFound(c *gin.Context) { refuse(c, http.StatusNotFound) }

// methodNotAllowed answers 405; gin has set Allow (RFC 9110 15.5.6).
func methodNotAllowed(c *gin.Context) { refuse(c, http.StatusMethodNotAllowed) }

func refuse(c *gin.Context, status int) {
	x := exchangeOf(c)
	c.Abort()
	text := http.StatusText(status)
	p := Problem{
		Status:           status,
		Description:      text,
		Reference:        x.ref(),
		Address:          ClientAddr(c),
		ForwardedIgnored: forwardedIgnored(c.Request, x.edge.trusted),
	}

	x.answer(c, p, problemBody{Detail: text})
}
