package domain

import (
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// personal are the scopes that mean something only where there is a person.
var personal = []string{
	oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone,
	oauth.ScopeOfflineAccess,
}

// OwnScope is what an application gets in its own name (RFC 6749 4.4): what it
// asks for, or all it may have where it asks for nothing. Scopes that need a
// person, or that the application does not have, are an invalid_scope.
func OwnScope(app *directory.Application, requested string) (oauth.Scopes, error) {
	own := app.Scopes.Without(personal...)
	if requested == "" {
		return own, nil
	}

	scope, ok := oauth.ParseScopes(requested)
	switch {
	case !ok:
		return nil, oauth.Errorf(oauth.InvalidScope, "scope is malformed")
	case len(scope) == 0:
		return own, nil
	case !own.Contains(scope...):
		return nil, oauth.Errorf(oauth.InvalidScope,
			"a requested scope is unknown, needs a person, or is not for this application")
	}

	return scope, nil
}

// GrantedScope is what a person's grant still covers: an application that has
// lost a scope since gets no token with it.
func GrantedScope(app *directory.Application, granted oauth.Scopes) (oauth.Scopes, error) {
	scope := granted.Only(app.Scopes)
	if len(scope) == 0 {
		return nil, oauth.Errorf(oauth.InvalidScope, "the application may no longer have any of the scopes granted")
	}
	return scope, nil
}

// RefreshedScope is what a refreshed token covers: all of the family's scopes, or
// those of them that the client asks for (RFC 6749 6).
func RefreshedScope(family oauth.Scopes, requested string) (oauth.Scopes, error) {
	scope, ok := oauth.ParseScopes(requested)
	switch {
	case !ok:
		return nil, oauth.Errorf(oauth.InvalidScope, "scope is malformed")
	case len(scope) == 0:
		return family, nil
	case !family.Contains(scope...):
		return nil, oauth.Errorf(oauth.InvalidScope, "a requested scope is not one of those that were granted")
	}

	return scope, nil
}
