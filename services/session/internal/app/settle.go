package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// settle stores the row of a flow that so far lived only in its URL. It must run before
// anything else is written for the flow. Flows are stored only when a person acts on them,
// and each browser and address has a budget for that; settle returns *limits.Error when
// either is used up.
func (a *App) settle(ctx context.Context, v *Visit) error {
	if v.Request.Sealed == "" {
		return nil
	}

	if err := a.Starts.StartIn(ctx, v.Now, v.Browser.Hash, v.Browser.Address); err != nil {
		return err
	}

	err := a.Flows.Settle(ctx, v.Request, a.Now())
	if errors.Is(err, grants.ErrExpired) {
		return ErrFlowExpired
	}
	if err != nil {
		return fmt.Errorf("store the flow: %w", err)
	}

	v.Request.Sealed = ""
	return nil
}
