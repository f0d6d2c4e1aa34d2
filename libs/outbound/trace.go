package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// start begins the span of an exchange. It names the server but not the URL, in which an
// application may have put a secret.
func (c *Client) start(ctx context.Context, method string, u *url.URL) (context.Context, trace.Span) {
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}

	return c.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("url.scheme", u.Scheme),
		attribute.String("server.address", u.Hostname()), attribute.Int("server.port", port),
	))
}

// finish ends a span with the kind of failure.
func finish(span trace.Span, err error) {
	defer span.End()

	for _, kind := range []struct {
		err  error
		name string
	}{{ErrRefused, "refused"}, {ErrUnreachable, "unreachable"}, {ErrAnswer, "unusable_answer"}} {
		if errors.Is(err, kind.err) {
			span.SetAttributes(attribute.String("error.type", kind.name))
			span.SetStatus(codes.Error, "")
			return
		}
	}
}

// propagate sends the server the trace context (W3C Trace Context): only the ids, without
// tracestate, which others may have filled, and without baggage.
func propagate(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	h.Del("Tracestate")
}
