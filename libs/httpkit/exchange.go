package httpkit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// exchange is one request and its response.
type exchange struct {
	edge      *edge
	route     *route
	span      trace.Span
	start     time.Time
	query     *Params
	body      *readBody
	form      *Params
	reference string
	inPage    bool // ErrorPage is running; if it panics, the response is JSON
	owned     bool // the response belongs to an application: AllowOrigin decided who may read it
	plain     bool // failures are JSON, since no person will see the response
}

type exchangeKey struct{}

// exchangeOf returns the exchange that serve put into the request's context. A context that
// didn't come through NewHandler gets an edge with defaults.
func exchangeOf(c *gin.Context) *exchange {
	if x, ok := c.Request.Context().Value(exchangeKey{}).(*exchange); ok {
		return x
	}

	e, _ := newEdge(Options{}) // can't fail with no-op providers
	return &exchange{
		edge:  e,
		route: newRoute(e.scheme(), c.Request.Method, ""),
		span:  trace.SpanFromContext(c.Request.Context()),
		start: time.Now(),
	}
}

// serve does everything around a handler, in one layer to keep the cost low: observe, protect,
// admit, and then the handler.
func (e *edge) serve(c *gin.Context, rt *route, h gin.HandlerFunc) {
	x := &exchange{edge: e, route: rt, start: time.Now()}
	var ctx context.Context
	ctx, x.span = e.start(c.Request, rt)
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, exchangeKey{}, x), e.deadline)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	e.telemetry.begin(ctx, rt)
	defer x.end(c)

	e.protect(c.Writer.Header())

	if rt.cors != nil {
		rt.cors.begin(c.Writer.Header())
	}

	if err := x.admit(c); err != nil {
		Fail(c, err)
		return
	}

	h(c)
}

// Header values shared by all responses. A handler that sets its own replaces them.
var (
	nosniff     = []string{"nosniff"}
	noReferrer  = []string{"no-referrer"}
	denyFrames  = []string{"DENY"}
	nothingLoad = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	twoYears    = []string{"max-age=63072000"}
)

// protect sets the security headers of a response that isn't a page. Pages set their own
// Content-Security-Policy.
func (e *edge) protect(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["X-Frame-Options"] = denyFrames
	h["Content-Security-Policy"] = nothingLoad
	if e.secure {
		h["Strict-Transport-Security"] = twoYears
	}
}

// admit refuses requests that no handler should see: a target that is too long, isn't UTF-8,
// contains NUL, or has a query that doesn't decode. It only limits the size of the body; Form
// and Body check the content.
func (x *exchange) admit(c *gin.Context) error {
	u := c.Request.URL
	if len(u.EscapedPath())+len(u.RawQuery) > maxTarget {
		return &oauth.Error{
			Code: oauth.InvalidRequest, StatusOverride: http.StatusRequestURITooLong,
			Description: fmt.Sprintf("path and query together exceed %d bytes", maxTarget),
		}
	}

	if !clean(u.Path) {
		return oauth.Errorf(oauth.InvalidRequest, "the path is not valid UTF-8 or holds a NUL character")
	}

	if u.RawQuery != "" {
		params, err := parseParams(inQuery, u.RawQuery)
		if err != nil {
			return err
		}
		x.query = params
	}

	if c.Request.Body != nil && c.Request.Body != http.NoBody {
		c.Request.Body = http.MaxBytesReader(unwrap(c.Writer), c.Request.Body, x.edge.maxBody)
	}

	return nil
}

// unwrap returns net/http's own writer for MaxBytesReader, which then closes the connection
// instead of reading the rest of an endless body.
func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return w
}

func clean(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// end recovers from a panic and records the outcome of the request. It must be deferred
// directly, because recover doesn't work any deeper.
func (x *exchange) end(c *gin.Context) {
	var abort any
	if v := recover(); v != nil {
		abort = x.panicked(c, v)
	}

	status := c.Writer.Status()
	elapsed := time.Since(x.start)
	ctx := c.Request.Context()
	x.edge.telemetry.end(ctx, x, status, elapsed)

	level := slog.LevelDebug
	if status >= http.StatusBadRequest {
		level = slog.LevelInfo
	}

	if x.edge.log.Enabled(ctx, level) {
		attrs := []slog.Attr{
			slog.String("method", x.route.method),
			slog.String("route", x.route.path), // never the path itself, which may name a flow
			slog.Int("status", status),
			slog.Duration("duration", elapsed),
			slog.Int("bytes", max(c.Writer.Size(), 0)),
		}
		if x.reference != "" {
			attrs = append(attrs, slog.String("reference", x.reference))
		}

		x.edge.log.LogAttrs(ctx, level, "request", attrs...)
	}

	if abort != nil {
		panic(abort)
	}
}

// panicked answers 500. If the response has already begun, it returns a value to panic with, so
// that net/http cuts the connection: a partial response must not look complete.
func (x *exchange) panicked(c *gin.Context, v any) (abort any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return http.ErrAbortHandler
	}

	err := &panicError{value: describePanic(v), stack: string(debug.Stack())}
	if c.Writer.Written() {
		x.logFailure(c,
			Problem{Status: http.StatusInternalServerError, Code: oauth.ServerError, Reference: x.ref()}, err)
		return http.ErrAbortHandler
	}

	Fail(c, err)
	return nil
}

// panicError carries a panic to the log.
type panicError struct{ value, stack string }

func (e *panicError) Error() string { return "panic: " + e.value }

// describePanic returns the text of a run-time error, but only the type of anything else,
// because a value may hold something that must not be logged.
func describePanic(v any) string {
	var re runtime.Error
	if err, ok := v.(error); ok && errors.As(err, &re) {
		return re.Error()
	}
	return fmt.Sprintf("value of type %T", v)
}

// ref returns the reference of a failure: the trace id, or else 128 random bits.
func (x *exchange) ref() string {
	if x.reference != "" {
		return x.reference
	}

	if sc := x.span.SpanContext(); sc.HasTraceID() {
		x.reference = sc.TraceID().String()
		return x.reference
	}

	var b [16]byte
	if _, err := io.ReadFull(x.edge.random, b[:]); err != nil {
		return "none"
	}

	x.reference = hex.EncodeToString(b[:])
	return x.reference
}
