// Package ports defines the interfaces through which the keys service reaches what its tests
// replace. libs implements both. Private keys are created by a signing.Maker; everything else the
// use cases hold as it is; see services/README.md.
package ports

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Schedule reads the table of signing keys and adds to it.
type Schedule interface {
	signing.Schedule
	// Insert adds a key. It returns signing.ErrExists if the algorithm already has that
	// generation. Of several replicas that insert it at once, exactly one succeeds. After any
	// other error the key may or may not have been added.
	Insert(ctx context.Context, key signing.Key) error
}
