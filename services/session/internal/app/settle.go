package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// settle stores the row of a flow that so far lived only in its URL. It must run before
// anything else is written for the flow. Flows are stored only when a person acts on them, and
// there is a budget for that, see start. account is the account that the person has proved to be
// theirs, or nil.
func (a *App) settle(ctx context.Context, v *Visit, account limits.Key) error {
	if v.Request.Sealed == "" {
		return nil
	}

	if v.Session != nil {
		account = limits.Account(a.LimitSecret, v.User.Email)
	}

	if err := a.start(ctx, v.Now, v.Browser, account); err != nil {
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

// start counts a flow that is about to be stored. It returns *limits.Error if there are too
// many. Each browser and each network has a budget. A neighbour behind the same address can use
// that up by dropping cookies, so an account has a share of its own in the browsers that know
// it: an attacker can mint browsers, but none that has signed in to another person's account.
func (a *App) start(ctx context.Context, now time.Time, b Browser, account limits.Key) error {
	if account != nil {
		return a.Starts.StartKnown(ctx, now, account, b.Hash, b.Address)
	}
	return a.Starts.StartIn(ctx, now, b.Hash, b.Address)
}

// known returns the account of an e-mail address if it has signed in with this browser before,
// and nil otherwise.
func (a *App) known(b Browser, email string) limits.Key {
	if !domain.KnowsDevice(a.DeviceSecret, b.Device, email, a.Now()) {
		return nil
	}
	return limits.Account(a.LimitSecret, email)
}
