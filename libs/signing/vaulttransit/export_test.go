package vaulttransit

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Waiting is how many signatures wait for a slot.
func (e *Engine) Waiting() (n int) {
	for _, q := range []*queue{e.rsa, e.ec} {
		for _, depth := range q.depth() {
			n += depth
		}
	}
	return n
}

// SendTogether sends digests as they are in one request.
func (e *Engine) SendTogether(ctx context.Context, key signing.Key, digests ...[]byte) (signatures [][]byte, errs []error) {
	v, err := parseRef(key)
	if err != nil {
		panic(err)
	}
	batch := make([]*item, len(digests))
	for i, digest := range digests {
		batch[i] = &item{input: digest, public: key.PublicKey, since: e.now(), done: make(chan struct{})}
	}
	e.send(ctx, v, batch)
	for _, i := range batch {
		<-i.done
		signatures, errs = append(signatures, i.signature), append(errs, i.err)
	}
	return signatures, errs
}

// ReasonOf is exported to the test of what answers mean.
var ReasonOf = reasonOf
