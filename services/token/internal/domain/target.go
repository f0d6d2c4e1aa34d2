package domain

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Target returns the resource that a token is for (RFC 8707 2), or "" if no resource is
// involved. bound is the resource that the person allowed, or empty; requested are those
// named in this request. A token is for a single resource, so it returns invalid_target for
// several, for one that differs from bound, and for one that the application may not ask
// for.
func Target(app *directory.Application, bound string, requested []string) (string, error) {
	requested = slices.Compact(slices.Sorted(slices.Values(requested)))
	switch {
	case len(requested) == 0:
		return bound, nil
	case len(requested) > 1:
		return "", oauth.Errorf(oauth.InvalidTarget, "a token is for one resource only")
	case bound != "" && requested[0] != bound:
		return "", oauth.Errorf(oauth.InvalidTarget, "the resource is not the one that was authorized")
	case requested[0] == bound, requested[0] == app.DefaultAudience, slices.Contains(app.Audiences, requested[0]):
		return requested[0], nil
	default:
		return "", oauth.Errorf(oauth.InvalidTarget, "the resource is unknown or not for this application")
	}
}

// GrantedTarget is like Target for grants that have a person (RFC 8707 2.2).
//
// A consent given without a resource covers the application's default audience and no other
// resource: to get another one, the application has to name it in its authorization
// request, where the person sees it. The default is bound to the grant with its first
// token, so that the consent doesn't extend to what an operator makes the default later. A
// first-party application has the operator's permission for whatever is registered for it.
func GrantedTarget(app *directory.Application, bound string, requested []string) (string, error) {
	target, err := Target(app, bound, requested)
	switch {
	case err != nil || bound != "" || app.FirstParty:
		return target, err
	case target == "", target == app.DefaultAudience:
		return app.DefaultAudience, nil
	default:
		return "", oauth.Errorf(oauth.InvalidTarget,
			"the person was not asked for this resource: name it in the authorization request, too")
	}
}

// AudienceOf returns the audience of an access token: the resource, else the application's
// default audience, else the issuer. With openid the issuer is added, so that userinfo
// accepts the token. The audience is never the client, since the token could then pass for
// an ID token.
func AudienceOf(app *directory.Application, resource, issuer string, scope oauth.Scopes) signing.Audience {
	audience := signing.Audience{issuer}
	switch {
	case resource != "":
		audience[0] = resource
	case app.DefaultAudience != "":
		audience[0] = app.DefaultAudience
	}

	if scope.Has(oauth.ScopeOpenID) && audience[0] != issuer {
		audience = append(audience, issuer)
	}

	return audience
}
