package app

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// Origins tells whose pages may read an answer: those of the SPA that asks, or
// whose token it is about. Both fields are needed.
type Origins struct {
	Applications ports.Applications
	Tokens       *Tokens
}

// Client returns the origins of an application, none where it is not an SPA. found
// is false where there is no such application, or it is disabled, which looks the
// same from outside, or it cannot be looked up now. The client need not have proven
// who it is: an answer to a caller that has not holds nothing but an error.
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

// Bearer returns the origins of the application that an access token was issued
// to, one that is over included, so that its page can read why it is refused. found
// is false where the token is none of ours.
func (o *Origins) Bearer(ctx context.Context, token string) (origins []string, found bool) {
	claims, err := o.Tokens.signed(ctx, token, domain.TypeAccessToken)
	if err != nil {
		return nil, false
	}
	return o.Client(ctx, claims.ClientID)
}
