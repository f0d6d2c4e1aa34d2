package httpkit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/api"
)

const scope = "github.com/platform-oauth/platform-oauth/libs/httpkit"

// telemetry holds the instruments. Names, units and buckets follow OpenTelemetry's semantic
// conventions for HTTP servers, where there are any.
type telemetry struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	active   metric.Int64UpDownCounter
	limited  metric.Int64Counter
}

func newTelemetry(tp trace.TracerProvider, mp metric.MeterProvider) (*telemetry, error) {
	meter := mp.Meter(scope)
	duration, err := meter.Float64Histogram("http.server.request.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5,
			0.75, 1, 2.5, 5, 7.5, 10))
	if err != nil {
		return nil, fmt.Errorf("httpkit: make the duration histogram: %w", err)
	}

	active, err := meter.Int64UpDownCounter("http.server.active_requests",
		metric.WithUnit("{request}"),
		metric.WithDescription("Number of HTTP server requests in flight."))
	if err != nil {
		return nil, fmt.Errorf("httpkit: make the counter of active requests: %w", err)
	}

	limited, err := meter.Int64Counter("platform.limits.refusals",
		metric.WithUnit("{request}"),
		metric.WithDescription("Requests refused with 429, by limit."))
	if err != nil {
		return nil, fmt.Errorf("httpkit: make the counter of refused requests: %w", err)
	}

	return &telemetry{
		tracer:   tp.Tracer(scope),
		duration: duration,
		active:   active,
		limited:  limited,
	}, nil
}

// start begins the span of a request. It continues the trace of a trusted proxy that starts its
// own, with the proxy's sampling decision. Any other trace context only becomes a link of a new
// trace, because a stranger must neither have everything recorded nor choose the ids by which
// logs are searched. Baggage and tracestate, which may contain anything, are ignored.
func (e *edge) start(r *http.Request, rt *route) (context.Context, trace.Span) {
	ctx, options := r.Context(), rt.spanOptions
	if _, sent := r.Header["Traceparent"]; sent {
		sent := propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		caller := trace.SpanContextFromContext(sent).WithTraceState(trace.TraceState{})
		switch {
		case !caller.IsRemote(): // the header sent was malformed
		case e.continues(r):
			ctx = trace.ContextWithRemoteSpanContext(ctx, caller)
		default:
			options = slices.Concat(options, []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: caller})})
		}
	}

	return e.telemetry.tracer.Start(ctx, rt.spanName, options...)
}

func (t *telemetry) begin(ctx context.Context, rt *route) {
	if t.active.Enabled(ctx) {
		t.active.Add(ctx, 1, rt.activeOptions...)
	}
}

func (t *telemetry) end(ctx context.Context, x *exchange, status int, elapsed time.Duration) {
	if t.active.Enabled(ctx) {
		t.active.Add(ctx, -1, x.route.activeOptions...)
	}

	if t.duration.Enabled(ctx) {
		t.duration.Record(ctx, elapsed.Seconds(), x.route.measured(status)...)
	}

	if x.span.IsRecording() {
		x.span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			x.span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
			x.span.SetStatus(codes.Error, "")
		}
	}

	x.span.End()
}

// continues reports whether a request's trace is continued here.
func (e *edge) continues(r *http.Request) bool {
	if !e.proxyTraces {
		return false
	}
	peer, _ := parseHop(r.RemoteAddr)
	return isTrusted(peer, e.trusted)
}

// route is one method of one path, with everything that can be computed in advance. path is
// empty for requests that match no route, so that strangers can't create new time series.
type route struct {
	method        string
	path          string
	pages         bool     // for browsers: a failure may be a page
	cors          *readers // nil: pages of other origins can't read anything
	attrs         []attribute.KeyValue
	spanName      string
	spanOptions   []trace.SpanStartOption
	activeOptions []metric.AddOption
	byStatus      [500]atomic.Pointer[[]metric.RecordOption] // status 100 to 599
}

func newRoute(scheme, method, path string) *route {
	rt := &route{method: method, path: path, spanName: method}
	rt.attrs = []attribute.KeyValue{
		attribute.String("http.request.method", method), attribute.String("url.scheme", scheme),
	}
	ofSpan := rt.attrs
	if path != "" {
		rt.spanName = method + " " + path
		rt.attrs = append(rt.attrs, attribute.String("http.route", path))
		// The template is used in place of the path, which may name a flow. url.query is
		// omitted because it may contain codes.
		ofSpan = append(slices.Clone(rt.attrs), attribute.String("url.path", path))
	}

	rt.spanOptions = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(ofSpan...)}
	rt.activeOptions = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(rt.attrs...))}
	return rt
}

// measured returns the attributes for a status, created once. Two requests may create them at
// the same time; both results are the same.
func (rt *route) measured(status int) []metric.RecordOption {
	if status < 100 || status > 599 {
		status = http.StatusInternalServerError
	}

	slot := &rt.byStatus[status-100]
	if options := slot.Load(); options != nil {
		return *options
	}

	attrs := slices.Concat(rt.attrs, []attribute.KeyValue{attribute.Int("http.response.status_code", status)})
	if status >= http.StatusInternalServerError {
		attrs = append(attrs, attribute.String("error.type", strconv.Itoa(status)))
	}

	options := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attrs...))}
	slot.Store(&options)
	return options
}

// unmatched has a route without a path for each known method and one for all others, as the
// semantic conventions ask, each both for paths where browsers go and for other paths.
type unmatched struct {
	contract []api.Route
	known    map[unmatchedKey]*route
}

type unmatchedKey struct {
	method string
	pages  bool
}

// otherMethod stands for every method unknown to the conventions.
const otherMethod = "_OTHER"

func (e *edge) unmatchedRoutes(contract []api.Route) unmatched {
	u := unmatched{contract: contract, known: map[unmatchedKey]*route{}}
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace, otherMethod,
	} {
		for _, pages := range []bool{false, true} {
			rt := newRoute(e.scheme(), method, "")
			rt.pages = pages
			u.known[unmatchedKey{method, pages}] = rt
		}
	}

	return u
}

func (u unmatched) of(r *http.Request) *route {
	pages := api.PagesAt(u.contract, r.URL.Path)
	if rt, ok := u.known[unmatchedKey{r.Method, pages}]; ok {
		return rt
	}
	return u.known[unmatchedKey{otherMethod, pages}]
}

// scheme returns the scheme that browsers use. Behind an ingress the connection doesn't show
// it.
func (e *edge) scheme() string {
	if e.secure {
		return "https"
	}
	return "http"
}

// Limited counts a request that is refused with 429 because of err; Fail does so itself. The
// limit counted is the Limit of a *limits.Error.
func Limited(c *gin.Context, err error) {
	limit := "other"
	if named, ok := errors.AsType[interface {
		error
		LimitName() string
	}](err); ok {
		limit = named.LimitName()
	}

	exchangeOf(c).edge.telemetry.limited.Add(c.Request.Context(), 1,
		metric.WithAttributes(attribute.String("limit", limit)))
}
