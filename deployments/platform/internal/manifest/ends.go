package manifest

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/ending"
)

// finish marks the sessions and grants of those whose access has ended with the
// batches so far: people, tenants and applications that were disabled, memberships
// that were removed, tenants that take no passwords any more. It has ended with the
// commit of the batch already.
func (a *applier) finish(ctx context.Context) error {
	_, err := ending.Finish(ctx, a.db, a.opts.Now())
	return err
}
