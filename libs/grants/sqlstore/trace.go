package sqlstore

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A browser that is redirected, an application with its code and a device that
// polls carry no trace context from one request to the next. So the rows they come
// back with do: each holds the traceparent (W3C Trace Context) of the request that
// made it, and the span of whoever reads it is linked there. No use case knows.

const traceParent = "traceparent"

// madeIn is the traceparent of the span in ctx; empty where nothing traces.
func madeIn(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceParent]
}

// linkToMaker links the span in ctx to the one that made a row of a table.
func linkToMaker(ctx context.Context, table, parent string) {
	span := trace.SpanFromContext(ctx)
	if parent == "" || !span.IsRecording() {
		return
	}

	// An empty context: what the text does not name must not be taken from this one.
	made := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceParent: parent})
	maker := trace.SpanContextFromContext(made)
	if maker.IsValid() && maker.SpanID() != span.SpanContext().SpanID() {
		span.AddLink(trace.Link{
			SpanContext: maker,
			Attributes:  []attribute.KeyValue{attribute.String("db.collection.name", table)},
		})
	}
}
