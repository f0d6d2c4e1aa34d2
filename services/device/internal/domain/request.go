package domain

import (
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Interval is how long a device initially waits between polls (RFC 8628 3.2).
const Interval = 5 * time.Second

// Request is a device authorization request (RFC 8628 3.1) as it was sent.
type Request struct {
	Scope     string   // empty means openid
	Resources []string // RFC 8707 2
}

// Code returns the device code that an application's request results in, without codes and
// times. Unlike at the authorization endpoint, nothing checks the scope of the response, so
// asking for a scope that the application may not have is an error.
func (r Request) Code(app *directory.Application) (*grants.DeviceCode, *oauth.Error) {
	if !app.AllowsGrant(oauth.GrantDeviceCode) {
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "the application may not use the device grant")
	}

	asked := r.Scope
	if asked == "" {
		asked = oauth.ScopeOpenID
	}

	scope, ok := oauth.ParseScopes(asked)
	if !ok || !app.Scopes.Contains(scope...) {
		return nil, oauth.Errorf(oauth.InvalidScope, "scope names something that the application may not ask for")
	}

	if !app.AllowsGrant(oauth.GrantRefreshToken) {
		scope = scope.Without(oauth.ScopeOfflineAccess)
	}

	if len(scope) == 0 {
		return nil, oauth.Errorf(oauth.InvalidScope, "scope names nothing that the application may ask for")
	}

	code := &grants.DeviceCode{ClientID: app.ClientID, Scope: scope, Interval: Interval}
	switch {
	case len(r.Resources) > 1:
		return nil, oauth.Errorf(oauth.InvalidTarget, "only one resource can be asked for at a time")
	case len(r.Resources) == 1 && !slices.Contains(app.Audiences, r.Resources[0]):
		return nil, oauth.Errorf(oauth.InvalidTarget, "the application may not ask for this resource")
	case len(r.Resources) == 1:
		code.Resource = r.Resources[0]
	}

	return code, nil
}

// Waits reports whether a code is still waiting for a decision.
func Waits(code *grants.DeviceCode, now time.Time) bool {
	return code.Decision == grants.DeviceUndecided && code.ConsumedAt.IsZero() && now.Before(code.ExpiresAt)
}

// Serves reports whether an application may still sign in on devices.
func Serves(app *directory.Application) bool {
	return app.Active && app.ScopeLevel == directory.Global && app.AllowsGrant(oauth.GrantDeviceCode)
}
