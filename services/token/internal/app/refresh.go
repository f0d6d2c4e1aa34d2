package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// refreshToken implements the grant of RFC 6749 6 with rotation (RFC 9700 4.14.2).
type refreshToken struct {
	tokens ports.RefreshTokens
	grace  time.Duration // default for applications that have none of their own
	trail  *Trail
	random io.Reader
	logger *slog.Logger
}

// errRefresh returns the same error for a token that is unknown, used, revoked or another
// client's.
func errRefresh() error {
	return oauth.Errorf(oauth.InvalidGrant, "the refresh token is unknown, used, revoked, or not for this application")
}

// prepare checks the token. For a rotated token that may be repeated it returns the
// successor along with it.
func (g *refreshToken) prepare(ctx context.Context, c *call) (*authorization, error) {
	if c.RefreshToken == "" {
		return nil, oauth.Errorf(oauth.InvalidRequest, "refresh_token is missing")
	}

	found, successor, err := g.find(ctx, c)
	if err != nil {
		return nil, err
	}

	scope, err := domain.RefreshedScope(found.Scope, c.Scope)
	if err != nil {
		return nil, err
	}

	return &authorization{
		subject:   found.Grant.UserID,
		scope:     scope,
		resource:  found.Grant.Resource,
		requested: c.Resources,
		grantID:   found.GrantID,
		offline:   found.Grant.Offline,
		family:    found,
		successor: successor,
		person: &person{
			user:      found.User,
			tenant:    found.Tenant,
			sessionID: found.Grant.SessionID,
			authTime:  found.Grant.AuthTime,
			acr:       found.Grant.ACR,
			amr:       found.Grant.AMR,
		},
	}, nil
}

// find looks up and checks the presented token. The order of the checks matters: a caller
// that isn't the token's client must neither rotate nor revoke anything, and a token that
// was used before compromises its family whatever else is wrong with it. For an allowed
// repeat, successor is the token that replaced the presented one.
func (g *refreshToken) find(ctx context.Context, c *call) (found *grants.Refreshable, successor string, err error) {
	found, err = g.tokens.Refreshable(ctx, oauth.HashSecret(c.RefreshToken), c.now)
	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, "", errRefresh()
	case err != nil:
		return nil, "", err
	case found.ClientID != c.app.ClientID || !found.Grant.RevokedAt.IsZero():
		return nil, "", errRefresh()
	case !found.RotatedAt.IsZero():
		if successor = g.successor(c, found); successor == "" {
			return nil, "", g.reused(ctx, c, found)
		}
	case !c.now.Before(found.ExpiresAt):
		return nil, "", oauth.Errorf(oauth.InvalidGrant, "the refresh token has expired")
	}

	if !found.Live() {
		return nil, "", oauth.Errorf(oauth.InvalidGrant, "the sign-in behind the refresh token has ended")
	}

	return found, successor, nil
}

// successor unseals the successor of a token that may be repeated. It returns "" if the
// token may not.
func (g *refreshToken) successor(c *call, found *grants.Refreshable) string {
	if !found.Repeatable(g.graceOf(c.app), c.now) {
		return ""
	}

	successor, err := domain.OpenSuccessor(c.RefreshToken, found.GrantID, found.SuccessorSeal)
	if err != nil { // the row is not what we wrote
		return ""
	}
	return successor
}

func (g *refreshToken) graceOf(app *directory.Application) time.Duration {
	if app.RefreshGrace != nil {
		return *app.RefreshGrace
	}
	return g.grace
}

// commit rotates the token. Losing the race for the rotation is treated as a repeat: within
// the grace period all racers get the one successor that was stored.
func (g *refreshToken) commit(ctx context.Context, c *call, i *issue) error {
	if i.successor == "" {
		err := g.rotate(ctx, c, i)
		if !errors.Is(err, grants.ErrConsumed) {
			return err
		}
		if _, i.refresh, err = g.find(ctx, c); err != nil {
			return err
		}
	}

	err := g.tokens.Repeat(ctx, oauth.HashSecret(i.refresh), i.grantID, i.expiresAt, c.now)
	if errors.Is(err, grants.ErrConsumed) { // used or revoked since we looked
		if _, _, err = g.find(ctx, c); err == nil {
			err = errRefresh()
		}
	}

	return err
}

// rotate returns grants.ErrConsumed if another request was first.
func (g *refreshToken) rotate(ctx context.Context, c *call, i *issue) error {
	r := &grants.Rotation{
		OldHash:        i.family.Hash,
		NewHash:        i.refreshRow.Hash,
		GrantID:        i.grantID,
		ClientID:       c.app.ClientID,
		ExpiresAt:      i.refreshRow.ExpiresAt,
		GrantExpiresAt: i.grantExpiresAt(),
	}
	if g.graceOf(c.app) > 0 {
		var err error
		if r.Seal, err = domain.SealSuccessor(c.RefreshToken, i.grantID, i.refresh, g.random); err != nil {
			return fmt.Errorf("seal the successor: %w", err)
		}
	}

	err := g.tokens.Rotate(ctx, r, c.now)
	if errors.Is(err, grants.ErrExpired) || errors.Is(err, grants.ErrNotFound) || errors.Is(err, grants.ErrRevoked) {
		return errRefresh()
	}

	return err
}

// reused revokes the family. One of the two holders of the token has stolen it, and it is
// impossible to tell which (RFC 9700 4.14.2). If revoking fails, reused returns that
// failure, which an invalid_grant would hide.
func (g *refreshToken) reused(ctx context.Context, c *call, found *grants.Refreshable) error {
	g.logger.WarnContext(ctx, "a refresh token was used twice; its family was revoked", "client_id", c.app.ClientID,
		"grant_id", found.GrantID)
	ended, err := g.tokens.RevokeGrant(ctx, found.GrantID, c.now)
	if err != nil {
		return err
	}

	if ended {
		g.trail.record(ctx, grantEvent(audit.RefreshReused, c.Caller, &found.Grant))
		revoked := grantEvent(audit.FamilyRevoked, c.Caller, &found.Grant)
		revoked.Detail = map[string]string{"reason": "reuse"}
		g.trail.record(ctx, revoked)
	}

	return errRefresh()
}

// refresh decides whether the tokens come with a refresh token, and creates it. A repeat
// hands out the stored successor.
func (s *Issuer) refresh(c *call, i *issue) error {
	if i.successor != "" {
		i.refresh = i.successor
		return nil
	}

	if i.family == nil && !refreshable(c, i.authorization) {
		return nil
	}

	token, err := oauth.NewSecret(s.Random)
	if err != nil {
		return err
	}

	end := c.now.Add(firstSet(c.app.RefreshTokenTTL, s.RefreshTokenTTL))
	if i.family != nil {
		end = i.family.AbsoluteExpiresAt
	}

	idle := c.now.Add(firstSet(c.app.RefreshIdleTTL, s.RefreshIdleTTL))
	if idle.After(end) {
		idle = end
	}

	i.refresh = token
	i.refreshRow = &grants.RefreshToken{
		Hash:              oauth.HashSecret(token),
		GrantID:           i.grantID,
		ClientID:          c.app.ClientID,
		Scope:             i.scope,
		CreatedAt:         c.now,
		ExpiresAt:         idle,
		AbsoluteExpiresAt: end,
	}

	return nil
}

// refreshable reports whether a first set of tokens comes with a refresh token. The
// application must be allowed to use one. In addition, either a device asks, or the person
// granted offline_access, or the application keeps tokens where scripts from elsewhere
// can't read them. An SPA therefore has to ask for offline_access.
func refreshable(c *call, a *authorization) bool {
	if !c.app.AllowsGrant(oauth.GrantRefreshToken) {
		return false
	}

	switch c.GrantType {
	case oauth.GrantDeviceCode:
		return true
	case oauth.GrantAuthorizationCode:
		return a.scope.Has(oauth.ScopeOfflineAccess) || c.app.Type == directory.Web || c.app.Type == directory.Native
	default:
		return false
	}
}

// firstSet returns an application's own duration or, if that isn't set, the platform's.
func firstSet(own, platform time.Duration) time.Duration {
	if own > 0 {
		return own
	}
	return platform
}
