package app

import (
	"context"
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// deviceCode implements the grant of RFC 8628 3.4.
type deviceCode struct {
	codes ports.DeviceCodes
	trail *Trail
}

func errDeviceCode() error {
	return oauth.Errorf(oauth.InvalidGrant, "the device code is unknown, used, or not for this application")
}

// prepare answers a poll (RFC 8628 3.5). Only polls for an undecided code are rate-limited;
// an approved one is never held back.
func (g *deviceCode) prepare(ctx context.Context, c *call) (*authorization, error) {
	if c.DeviceCode == "" {
		return nil, oauth.Errorf(oauth.InvalidRequest, "device_code is missing")
	}

	poll, err := g.codes.PollDevice(ctx, oauth.HashSecret(c.DeviceCode), c.app.ClientID, c.now)
	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, errDeviceCode()
	case err != nil:
		return nil, err
	case !poll.ConsumedAt.IsZero():
		return nil, errDeviceCode()
	case !c.now.Before(poll.ExpiresAt):
		return nil, oauth.Errorf(oauth.ExpiredToken, "the device code has expired, start again")
	case poll.TooFast:
		return nil, oauth.Errorf(oauth.SlowDown, "polled too fast: wait 5 seconds longer between polls from now on")
	case poll.Decision == grants.DeviceDenied:
		return nil, oauth.Errorf(oauth.AccessDenied, "the person denied the request")
	case poll.Decision != grants.DeviceApproved:
		return nil, oauth.Errorf(oauth.AuthorizationPending, "the person has not decided yet")
	case !poll.Live():
		return nil, oauth.Errorf(oauth.InvalidGrant, "the sign-in behind the device code has ended: start again")
	}

	return &authorization{
		subject:   poll.UserID,
		scope:     poll.Scope,
		resource:  poll.Resource,
		requested: c.Resources,
		grantID:   poll.GrantID,
		offline:   true, // the grant belongs to the device, not to the approving browser
		person: &person{
			user:     poll.User,
			tenant:   poll.Tenant,
			authTime: poll.AuthTime,
			acr:      poll.ACR,
			amr:      poll.AMR,
		},
	}, nil
}

// commit consumes the device code. Losing the race for it revokes nothing, since a device
// that polls twice at once isn't an attacker.
func (g *deviceCode) commit(ctx context.Context, c *call, i *issue) error {
	err := g.codes.RedeemDevice(ctx, oauth.HashSecret(c.DeviceCode), i.grant(c), i.refreshRow,
		i.grantExpiresAt(), c.now)
	switch {
	case err == nil:
		g.trail.created(ctx, c.Caller, i.grant(c), "device")
		return nil
	case errors.Is(err, grants.ErrExpired):
		return oauth.Errorf(oauth.ExpiredToken, "the device code has expired, start again")
	case errors.Is(err, grants.ErrConsumed), errors.Is(err, grants.ErrNotFound), errors.Is(err, grants.ErrRevoked):
		return errDeviceCode()
	default:
		return err
	}
}
