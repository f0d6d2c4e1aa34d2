package manifest

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/ending"
)

// finish marks the sessions and grants of everything whose access the batches so far have
// ended: people, tenants and applications that were disabled, memberships that were
// removed, and tenants that no longer take passwords. The access itself ended with the
// commit of the batch.
func (a *applier) finish(ctx context.Context) error {
	_, err := ending.Finish(ctx, a.db, a.opts.Now())
	return err
}
