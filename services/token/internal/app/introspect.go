package app

import (
	"context"
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// Introspector implements token introspection (RFC 7662). Every field is required.
type Introspector struct {
	Clients       *Clients
	Tokens        *Tokens
	RefreshTokens ports.RefreshTokens
}

// Introspect returns an ActiveAccessToken, ActiveRefreshToken or Inactive from package
// domain.
//
// Only confidential applications may ask. A token is active only for its client and, in the
// case of an access token or a jwt from an exchange, for an application that serves a
// resource in its audience. For all others it appears not to exist. Introspect costs at
// most one read. It returns an *oauth.Error or an error of the ports.
func (i *Introspector) Introspect(ctx context.Context, request TokenRequest) (any, error) {
	app, err := i.Clients.authenticate(ctx, request.Caller)
	switch {
	case err != nil:
		return nil, err
	case app.Public(): // a public application has proven nothing (RFC 7662 2.1)
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "a public application cannot introspect tokens")
	case request.Token == "":
		return nil, errTokenMissing()
	}

	var document any
	if isJWT(request.Token) {
		document, err = i.accessToken(ctx, app, request.Token)
	} else {
		document, err = i.refreshToken(ctx, app, request.Token)
	}

	if dead(err) {
		return domain.Inactive{}, nil
	}

	return document, err
}

func (i *Introspector) accessToken(ctx context.Context, app *directory.Application, token string) (any, error) {
	claims, kind, err := i.Tokens.verifyBearer(ctx, token)
	if err != nil {
		return nil, err
	}
	if !domain.MayIntrospect(app, claims, i.Tokens.Issuer) {
		return nil, errToken()
	}
	if _, err := i.Tokens.honoured(ctx, claims); err != nil {
		return nil, err
	}

	return &domain.ActiveAccessToken{Active: true, TokenType: kind, AccessToken: *claims}, nil
}

func (i *Introspector) refreshToken(ctx context.Context, app *directory.Application, token string) (any, error) {
	now := i.Tokens.Now()
	found, err := i.RefreshTokens.Refreshable(ctx, oauth.HashSecret(token), now)
	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, errToken()
	case err != nil:
		return nil, err
	case found.ClientID != app.ClientID || !found.RotatedAt.IsZero() || !now.Before(found.ExpiresAt) || !found.Live():
		return nil, errToken()
	}

	return domain.IntrospectRefreshToken(found, i.Tokens.Issuer), nil
}
