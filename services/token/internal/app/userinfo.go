package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// clockSkew is how far ahead of ours the clock of the replica that signed may be.
const clockSkew = 5 * time.Second

// UserInfo answers what the bearer of an access token may know about its person
// (OpenID Connect Core 5.3). Every field is needed.
type UserInfo struct {
	Applications ports.Applications
	Standings    ports.Standings
	Verifier     ports.Verifier
	Issuer       string
	Now          func() time.Time
}

func errToken() error {
	return oauth.Errorf(oauth.InvalidToken, "the access token is malformed, expired, revoked, or not for this endpoint")
}

// Claims returns the claims that the token's scopes ask for. A token that is
// forged, expired, revoked, of another type or without this issuer in its
// audience, and one whose grant, session, person, membership or application has
// ended, is an invalid_token; one without openid, or without a person, is an
// insufficient_scope (RFC 6750 3.1).
func (u *UserInfo) Claims(ctx context.Context, token string) (map[string]any, error) {
	claims, err := u.verify(token)
	if err != nil {
		return nil, err
	}
	scope, ok := oauth.ParseScopes(claims.Scope)
	switch {
	case !ok:
		return nil, errToken()
	case !scope.Has(oauth.ScopeOpenID) || claims.PlatformToken:
		return nil, oauth.Errorf(oauth.InsufficientScope, "the access token needs the scope openid")
	case claims.GrantID == "" || !claims.Audience.Has(u.Issuer):
		return nil, errToken()
	}
	standing, err := u.standing(ctx, claims)
	if err != nil {
		return nil, err
	}
	return domain.UserInfo(&standing.User, &standing.Tenant, scope), nil
}

// verify checks what the token says by itself (RFC 9068 4).
func (u *UserInfo) verify(token string) (*domain.AccessToken, error) {
	payload, err := u.Verifier.Verify(token, domain.TypeAccessToken)
	switch {
	case errors.Is(err, signing.ErrInvalid):
		return nil, errToken()
	case err != nil: // a good token must not be called bad because we have no keys
		return nil, oauth.Unavailable(err)
	}
	claims := &domain.AccessToken{}
	if err := json.Unmarshal(payload, claims); err != nil {
		return nil, errToken()
	}
	now := u.Now()
	if claims.Issuer != u.Issuer || claims.ExpiresAt <= now.Unix() || claims.NotBefore > now.Add(clockSkew).Unix() {
		return nil, errToken()
	}
	return claims, nil
}

// standing decides whether the token is still honoured, by one read.
func (u *UserInfo) standing(ctx context.Context, claims *domain.AccessToken) (*grants.Standing, error) {
	app, err := u.Applications.Application(ctx, claims.ClientID)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return nil, errToken()
	case err != nil:
		return nil, err
	case !app.Active:
		return nil, errToken()
	}
	standing, err := u.Standings.Standing(ctx, claims.GrantID, u.Now())
	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, errToken()
	case err != nil:
		return nil, err
	case !standing.Live() || standing.User.ID != claims.Subject || standing.Grant.ClientID != claims.ClientID:
		return nil, errToken()
	}
	return standing, nil
}
