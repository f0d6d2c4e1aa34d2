package domain

import (
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// PersonClaims returns the claims about a person that the scopes ask for (OpenID Connect
// Core 5.4), without sub. Unknown claims are left out (5.3.2).
func PersonClaims(user *directory.User, scope oauth.Scopes) map[string]any {
	claims := make(map[string]any, 16)
	given := func(names []string) {
		for _, name := range names {
			if value, ok := user.Claims[name]; ok && value != nil && value != "" {
				claims[name] = value
			}
		}
	}

	known := func(name, value string) {
		if value != "" {
			claims[name] = value
		}
	}
	if scope.Has(oauth.ScopeProfile) {
		given(directory.ProfileClaims)
		known("name", user.Name)
		known("given_name", user.GivenName)
		known("family_name", user.FamilyName)
		if !user.UpdatedAt.IsZero() {
			claims["updated_at"] = user.UpdatedAt.Unix()
		}
	}

	if scope.Has(oauth.ScopeEmail) && user.Email != "" {
		claims["email"] = user.Email
		claims["email_verified"] = user.EmailVerified
	}

	if scope.Has(oauth.ScopeAddress) {
		given(directory.AddressClaims)
	}

	if scope.Has(oauth.ScopePhone) {
		given(directory.PhoneClaims)
	}

	return claims
}

// UserInfo returns the userinfo response (OpenID Connect Core 5.3.2): sub, which equals the
// ID token's, the claims that the scopes ask for, and the tenant.
func UserInfo(user *directory.User, tenant *directory.Tenant, scope oauth.Scopes) map[string]any {
	claims := PersonClaims(user, scope)
	claims["sub"] = user.ID
	claims["tenant_id"] = tenant.ID
	claims["tenant_slug"] = tenant.Slug
	return claims
}
