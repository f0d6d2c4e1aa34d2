package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// settle stores the row of a flow that so far lived only in its URL. It must run before
// anything else is written for the flow. Flows are stored only when a person acts on them, and
// there is a budget for that, see start. account is the account that the person has proved to be
// theirs, or nil.
func (si *SignIn) settle(ctx context.Context, v *Visit, account limits.Key) error {
	if v.Request.Sealed == "" {
		return nil
	}

	if v.Session != nil {
		account = si.Prover.account(v.User.Email)
	}

	if err := si.start(ctx, v.Now, v.Browser, account); err != nil {
		return err
	}

	err := si.Flows.Settle(ctx, v.Request, si.Now())
	if errors.Is(err, grants.ErrExpired) {
		return ErrFlowExpired
	}
	if err != nil {
		return fmt.Errorf("store the flow: %w", err)
	}

	v.Request.Sealed = ""
	return nil
}

// start counts a flow that is about to be stored. It returns *limits.Error if there are too
// many. Each browser and each network has a budget. A neighbour behind the same address can use
// that up by dropping cookies, so an account has a share of its own in the browsers that know
// it: an attacker can mint browsers, but none that has signed in to another person's account.
func (si *SignIn) start(ctx context.Context, now time.Time, b Browser, account limits.Key) error {
	if account != nil {
		return si.Starts.StartKnown(ctx, now, account, b.Hash, b.Address)
	}
	return si.Starts.StartIn(ctx, now, b.Hash, b.Address)
}
