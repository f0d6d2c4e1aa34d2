package app

import (
	"context"
	"net/url"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// Way is where a person goes on whose flow cannot.
type Way struct {
	Kind grants.Kind // whose sign-in it was; empty where that is not known
	// Application is the name of the one that asked, or empty.
	Application string
	// Begin is the registered page where a person begins at that application, or
	// empty. It is never an address of the request.
	Begin string
}

// WayOn returns where the person of a flow goes on that is over, or that belongs to
// another browser. It tells no more than a request of the application would: its
// name, and a page that it has registered for everybody. What cannot be looked up
// now is not known; the failure itself is what the person has to hear of.
func (a *App) WayOn(ctx context.Context, flowID string) Way {
	request, err := a.Flows.Request(ctx, flowID)
	if err != nil {
		return Way{}
	}

	way := Way{Kind: request.Kind}
	if request.Kind != grants.KindAuthorize {
		return way
	}

	app, err := a.Applications.Application(ctx, request.ClientID)
	if err != nil || !app.Active {
		return way
	}

	way.Application = app.Name

	if app.InitiateLoginURI != "" {
		way.Begin = withIssuer(app.InitiateLoginURI, a.Issuer)
	}

	return way
}

// withIssuer adds the parameter by which an application knows which provider to
// sign in with (OpenID Connect Core 4).
func withIssuer(uri, issuer string) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + url.Values{"iss": {issuer}}.Encode()
}
