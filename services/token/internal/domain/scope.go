package domain

import (
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// personal lists the scopes that are meaningful only if there is a person.
var personal = []string{
	oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone,
	oauth.ScopeOfflineAccess,
}

// OwnScope returns the scopes that an application gets in its own name (RFC 6749 4.4):
// those it asks for, or all that it may have if it asks for none. It returns invalid_scope
// for scopes that need a person or that the application doesn't have.
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

// GrantedScope returns the scopes of a person's grant that the application still has.
// Tokens carry no scope that the application has lost since.
func GrantedScope(app *directory.Application, granted oauth.Scopes) (oauth.Scopes, error) {
	scope := granted.Only(app.Scopes)
	if len(scope) == 0 {
		return nil, oauth.Errorf(oauth.InvalidScope, "the application may no longer have any of the scopes granted")
	}
	return scope, nil
}

// RefreshedScope returns the scopes of a refreshed token: all of the family's, or the
// subset that the client asks for (RFC 6749 6).
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
