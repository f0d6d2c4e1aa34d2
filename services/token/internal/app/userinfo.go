package app

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// UserInfo returns what the bearer of an access token may know about its person (OpenID
// Connect Core 5.3).
type UserInfo struct{ Tokens *Tokens }

// Claims returns the claims that the token's scopes ask for.
//
// It returns invalid_token if the token is forged, expired, revoked, of another type or
// without this issuer in its audience, or if its grant, session, person, membership or
// application has ended. It returns insufficient_scope if the token lacks openid or has no
// person (RFC 6750 3.1).
func (u *UserInfo) Claims(ctx context.Context, token string) (map[string]any, error) {
	claims, err := u.Tokens.verify(ctx, token)
	if err != nil {
		return nil, err
	}

	scope, ok := oauth.ParseScopes(claims.Scope)
	switch {
	case !ok:
		return nil, errToken()
	case !scope.Has(oauth.ScopeOpenID) || claims.PlatformToken:
		return nil, oauth.Errorf(oauth.InsufficientScope, "the access token needs the scope openid")
	case claims.GrantID == "" || !claims.Audience.Has(u.Tokens.Issuer):
		return nil, errToken()
	}

	standing, err := u.Tokens.honoured(ctx, claims)
	if err != nil {
		return nil, err
	}

	if standing.Grant.ClientID != claims.ClientID {
		return nil, errToken()
	}

	return domain.UserInfo(&standing.User, &standing.Tenant, scope), nil
}
