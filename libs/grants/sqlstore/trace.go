package sqlstore

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A redirected browser, an application with its code and a polling device carry no trace
// context from one request to the next, so the rows do it. Each row holds the traceparent (W3C
// Trace Context) of the request that made it, and the span that reads the row is linked to that
// one. The use cases don't know of it.

const traceParent = "traceparent"

// madeIn returns the traceparent of the span in ctx, or an empty string if there is none.
func madeIn(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceParent]
}

// linkToMaker links the span in ctx to the span that made a row of a table.
func linkToMaker(ctx context.Context, table, parent string) {
	span := trace.SpanFromContext(ctx)
	if parent == "" || !span.IsRecording() {
		return
	}

	// Extract into an empty context, so that nothing that the text leaves out is taken from
	// ctx.
	made := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceParent: parent})
	maker := trace.SpanContextFromContext(made)
	if maker.IsValid() && maker.SpanID() != span.SpanContext().SpanID() {
		span.AddLink(trace.Link{
			SpanContext: maker,
			Attributes:  []attribute.KeyValue{attribute.String("db.collection.name", table)},
		})
	}
}
