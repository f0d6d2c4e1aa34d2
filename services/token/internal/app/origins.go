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

// Client gives the origins of an application, none where it is no SPA or cannot be
// found now: then its pages cannot read the answer, and nothing else happens. The
// client need not have proven who it is: an answer to somebody who has not holds
// nothing but an error.
func (o *Origins) Client(ctx context.Context, clientID string) []string {
	app, err := o.Applications.Application(ctx, clientID)
	if err != nil || !app.Active || app.Type != directory.SPA || app.ScopeLevel != directory.Global {
		return nil
	}
	return app.CORSOrigins
}

// Bearer gives the origins of the application that an access token was issued to,
// one that is over included, so that its page can read why it is refused.
func (o *Origins) Bearer(ctx context.Context, token string) []string {
	claims, err := o.Tokens.signed(ctx, token, domain.TypeAccessToken)
	if err != nil {
		return nil
	}
	return o.Client(ctx, claims.ClientID)
}
