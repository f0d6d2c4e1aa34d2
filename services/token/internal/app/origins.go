package app

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Origins determines which web pages may read a response: those of the SPA that sends the
// request, or of the one that was issued the token. Both fields are required.
type Origins struct {
	Applications *appcache.Cache
	Tokens       *Tokens
}

// Client returns the origins of an application, or none if it isn't an SPA. found is false
// if the application doesn't exist, is disabled, which looks the same from outside, or
// can't be looked up now. The client need not be authenticated, since a response to an
// unauthenticated caller contains only an error.
func (o *Origins) Client(ctx context.Context, clientID string) (origins []string, found bool) {
	app, err := o.Applications.Application(ctx, clientID)
	if err != nil || !app.Active {
		return nil, false
	}
	if app.Type != directory.SPA || app.ScopeLevel != directory.Global {
		return nil, true
	}
	return app.CORSOrigins, true
}

// Bearer returns the origins of the application that an access token was issued to. It also
// accepts an expired token, so that the application's page can read why the token is
// refused. found is false if we didn't issue the token.
func (o *Origins) Bearer(ctx context.Context, token string) (origins []string, found bool) {
	claims, err := o.Tokens.signed(ctx, token, signing.TypeAccessToken)
	if err != nil {
		return nil, false
	}
	return o.Client(ctx, claims.ClientID)
}
