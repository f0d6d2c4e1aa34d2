package vaulttransit

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Waiting returns how many signatures wait for a slot.
func (e *Engine) Waiting() (n int) {
	for _, q := range []*queue{e.rsa, e.ec} {
		for _, depth := range q.depth() {
			n += depth
		}
	}
	return n
}

// BreakerState returns "closed", "half-open" or "open".
func (e *Engine) BreakerState() string { return e.breaker.State().String() }

// SendTogether sends the digests unchanged in one request.
func (e *Engine) SendTogether(
	ctx context.Context, key signing.Key, digests ...[]byte,
) (signatures [][]byte, errs []error) {
	v, err := parseRef(key)
	if err != nil {
		panic(err)
	}

	batch := make([]*item, len(digests))
	for i, digest := range digests {
		batch[i] = &item{
			input:  digest,
			public: key.PublicKey,
			since:  e.now(),
			done:   make(chan struct{}),
		}
	}

	e.send(ctx, v, batch)

	for _, i := range batch {
		<-i.done
		signatures, errs = append(signatures, i.signature), append(errs, i.err)
	}

	return signatures, errs
}

// SendFor signs in one request for callers with these spans.
func (e *Engine) SendFor(ctx context.Context, key signing.Key, callers []trace.SpanContext) {
	v, err := parseRef(key)
	if err != nil {
		panic(err)
	}

	var batch []*item
	for _, caller := range callers {
		batch = append(batch, &item{
			input:  make([]byte, 32),
			caller: caller,
			since:  e.now(),
			done:   make(chan struct{}),
		})
	}

	e.send(ctx, v, batch)
}

// ReasonOf is exported to the test of Vault's answers.
var ReasonOf = reasonOf
