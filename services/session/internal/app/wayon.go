package app

import (
	"context"
	"net/url"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// Way describes where a person can continue after a flow that can't.
type Way struct {
	Kind grants.Kind // kind of the flow; empty if unknown
	// Application is the name of the application that started the flow, or empty.
	Application string
	// Begin is the page that the application registered for starting a sign-in, or empty. It
	// never comes from the request.
	Begin string
}

// WayOn returns where a person can continue after a flow that is over or belongs to another
// browser. It reveals no more than an authorization request of the application would: the
// application's name, and a page that it registered for everyone. If a look-up fails the
// result stays empty, since the page has to report the original failure.
func (si *SignIn) WayOn(ctx context.Context, flowID string) Way {
	request, err := si.Flows.Flow(ctx, flowID)
	if err != nil {
		return Way{}
	}

	way := Way{Kind: request.Kind}
	if request.Kind != grants.KindAuthorize {
		return way
	}

	app, err := si.Applications.Application(ctx, request.ClientID)
	if err != nil || !app.Active {
		return way
	}

	way.Application = app.Name

	if app.InitiateLoginURI != "" {
		way.Begin = withIssuer(app.InitiateLoginURI, si.Issuer)
	}

	return way
}

// withIssuer adds the parameter that tells an application which provider to sign in with
// (OpenID Connect Core 4).
func withIssuer(uri, issuer string) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + url.Values{"iss": {issuer}}.Encode()
}
