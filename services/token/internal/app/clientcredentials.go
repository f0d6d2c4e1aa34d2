package app

import (
	"context"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// clientCredentials implements the grant of RFC 6749 4.4, in which an application acts in
// its own name. It touches no table.
type clientCredentials struct{}

// prepare refuses public applications whatever they were registered with, since they have
// proven nothing (RFC 6749 4.4).
func (clientCredentials) prepare(_ context.Context, c *call) (*authorization, error) {
	if c.app.Public() {
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "a public application cannot use client_credentials")
	}

	scope, err := domain.OwnScope(c.app, c.Scope)
	if err != nil {
		return nil, err
	}
	return &authorization{
		subject:   c.app.ClientID,
		scope:     scope,
		requested: slices.Concat(c.Resources, c.Audiences),
	}, nil
}

// commit does nothing, since there is nothing to redeem.
func (clientCredentials) commit(context.Context, *call, *issue) error { return nil }
