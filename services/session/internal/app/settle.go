package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// settle makes the row of a flow that lived in its address so far. It comes before the
// first thing that is written of a flow, and only what a person does is written: that
// is what the browser and its address have a budget for. *limits.Error when one of
// them has used it up.
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
