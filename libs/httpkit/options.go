package httpkit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/platform-oauth/platform-oauth/api"
)

// Limits and defaults.
const (
	// DefaultMaxBody is the maximum size of a request body, in bytes, unless Options says
	// otherwise.
	DefaultMaxBody = 32 << 10
	// DefaultDeadline is the maximum duration of a request unless Options says otherwise.
	DefaultDeadline = 10 * time.Second
	// maxTarget bounds path and query together, in bytes as sent.
	maxTarget = 32 << 10
)

// Handlers maps operation ids to their handlers. It lets a service's wiring avoid naming gin
// types.
type Handlers = map[string]gin.HandlerFunc

// Options configures NewHandler. Zero values are good except for Routes and Handlers, which
// must match each other.
type Options struct {
	// Service names the service in errors of NewHandler.
	Service string
	// Routes are the operations to serve, from api.For(name). With none, the handler answers
	// 404 to everything.
	Routes []api.Route
	// Handlers has exactly one handler for each operation id in Routes.
	Handlers Handlers

	// TrustedProxies are the peers whose X-Forwarded-For is trusted.
	TrustedProxies []netip.Prefix
	// ProxyTraces says that the trusted proxies start their own traces, which are continued,
	// and never forward a client's traceparent. Otherwise every request starts a new trace.
	ProxyTraces bool
	// MaxBody is the largest request body in bytes; 0: DefaultMaxBody.
	MaxBody int64
	// Deadline is when a request's context ends; 0: DefaultDeadline.
	Deadline time.Duration
	// CORS says which operations pages of other origins may call.
	CORS CORS
	// Secure says that browsers reach the platform over https, so that
	// Strict-Transport-Security is sent (RFC 6797).
	Secure bool

	Logger         *slog.Logger         // nil: no logging
	TracerProvider trace.TracerProvider // nil: no spans
	MeterProvider  metric.MeterProvider // nil: no metrics
	// Random is the source of references when there is no trace; nil: crypto/rand.
	Random io.Reader

	// Unattended admits requests for a page that aren't navigations (see Navigates) and would
	// otherwise be refused; nil: none. Such a request must not write anything that a stranger
	// could cause, and its failures are JSON.
	Unattended func(r *http.Request) bool

	// ErrorPage writes p as a page, with p.Status, on routes for browsers (Route.Pages) if
	// Accept prefers text/html; nil: every failure is JSON.
	ErrorPage func(w http.ResponseWriter, r *http.Request, p Problem)
}

// edge is what all requests of one handler share.
type edge struct {
	service     string
	trusted     []netip.Prefix
	proxyTraces bool
	maxBody     int64
	deadline    time.Duration
	secure      bool
	log         *slog.Logger
	random      io.Reader
	page        func(http.ResponseWriter, *http.Request, Problem)
	telemetry   *telemetry
}

// NewHandler returns the handler of one service. It fails if a route has no handler, a handler
// has no route, or two routes are the same; the error lists all such problems.
func NewHandler(o Options) (http.Handler, error) {
	if err := checkRoutes(o); err != nil {
		return nil, err
	}

	e, err := newEdge(o)
	if err != nil {
		return nil, err
	}

	if gin.IsDebugging() {
		gin.SetMode(gin.ReleaseMode) // otherwise gin prints its route table to stdout
	}

	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	// An encoded slash stays inside its path segment: /auth/flows/x%2Fconsent is an unknown
	// flow id, not the consent form of x.
	engine.UseRawPath = true
	engine.UnescapePathValues = true
	engine.ContextWithFallback = true
	engine.ForwardedByClientIP = false // ClientAddr judges X-Forwarded-For

	for _, r := range o.Routes {
		h := o.Handlers[r.OperationID]
		if r.Pages {
			h = e.navigated(h, o.Unattended)
		}
		e.mount(engine, r, &o.CORS, h)
	}

	e.mountPreflights(engine, &o.CORS, o.Routes)
	unmatched := e.unmatchedRoutes(slices.Concat(o.Routes, api.Routes))
	engine.NoRoute(func(c *gin.Context) {
		e.serve(c, unmatched.of(c.Request), NotFound)
	})
	engine.NoMethod(func(c *gin.Context) {
		e.serve(c, unmatched.of(c.Request), methodNotAllowed)
	})

	return engine, nil
}

func newEdge(o Options) (*edge, error) {
	e := &edge{
		service:     o.Service,
		proxyTraces: o.ProxyTraces,
		maxBody:     o.MaxBody,
		deadline:    o.Deadline,
		secure:      o.Secure,
		log:         o.Logger,
		random:      o.Random,
		page:        o.ErrorPage,
	}
	if e.maxBody <= 0 {
		e.maxBody = DefaultMaxBody
	}

	if e.deadline <= 0 {
		e.deadline = DefaultDeadline
	}

	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}

	if e.random == nil {
		e.random = rand.Reader
	}

	for _, p := range o.TrustedProxies {
		e.trusted = append(e.trusted, unmapPrefix(p))
	}

	tp, mp := o.TracerProvider, o.MeterProvider
	if tp == nil {
		tp = tracenoop.NewTracerProvider()
	}

	if mp == nil {
		mp = metricnoop.NewMeterProvider()
	}

	var err error
	if e.telemetry, err = newTelemetry(tp, mp); err != nil {
		return nil, err
	}

	return e, nil
}

func checkRoutes(o Options) error {
	var problems []error
	wanted := map[string]bool{}
	seen := map[string]bool{}
	for _, r := range o.Routes {
		key := r.Method + " " + r.Path
		if seen[key] {
			problems = append(problems, fmt.Errorf("httpkit: %s is listed twice", key))
		}

		seen[key] = true
		wanted[r.OperationID] = true

		if o.Handlers[r.OperationID] == nil {
			problems = append(problems, fmt.Errorf("httpkit: %s %s has no handler %q", r.Method, r.Path, r.OperationID))
		}

		if _, err := ginPath(r.Path); err != nil {
			problems = append(problems, err)
		}
	}

	for id := range o.Handlers {
		if !wanted[id] {
			problems = append(problems, fmt.Errorf("httpkit: handler %q belongs to no route of %q", id, o.Service))
		}
	}

	if err := o.CORS.check(o.Routes); err != nil {
		problems = append(problems, err)
	}

	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

// mount registers one operation, with HEAD besides GET (RFC 9110 9.3.2). HEAD must change
// nothing (9.2.1), while the GET of a page may start, end or finish a flow, so HEAD of a page
// doesn't call the handler.
func (e *edge) mount(engine *gin.Engine, r api.Route, cors *CORS, h gin.HandlerFunc) {
	path, _ := ginPath(r.Path) // validated by checkRoutes
	handle := func(method string, h gin.HandlerFunc) {
		rt := newRoute(e.scheme(), method, r.Path)
		rt.pages = r.Pages
		rt.cors = cors.of(r.OperationID)
		engine.Handle(method, path, func(c *gin.Context) { e.serve(c, rt, h) })
	}

	handle(r.Method, h)

	switch {
	case r.Method == http.MethodGet && r.Pages:
		handle(http.MethodHead, headOfPage)
	case r.Method == http.MethodGet:
		handle(http.MethodHead, h)
	}
}

// headOfPage answers HEAD on a route for browsers without looking anything up.
func headOfPage(c *gin.Context) {
	NoStore(c)
	c.Status(http.StatusOK)
}

// ginPath converts /auth/flows/{flow} to /auth/flows/:flow.
func ginPath(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("httpkit: path %q does not start with a slash", path)
	}

	segments := strings.Split(path, "/")
	for i, s := range segments {
		if !strings.ContainsAny(s, "{}:*") {
			continue
		}

		name, open := strings.CutPrefix(s, "{")
		name, closed := strings.CutSuffix(name, "}")
		if !open || !closed || name == "" || strings.ContainsAny(name, "{}:*") {
			return "", fmt.Errorf("httpkit: path %q: segment %q is neither plain nor one {parameter}", path, s)
		}

		segments[i] = ":" + name
	}

	return strings.Join(segments, "/"), nil
}
