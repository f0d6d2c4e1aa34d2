package domain

import (
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Further standard claims, as the operator may have given them to a person, by
// the scope that asks for them (OpenID Connect Core 5.4).
var (
	profileClaims = []string{
		"middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale",
	}
	addressClaims = []string{"address"}
	phoneClaims   = []string{"phone_number", "phone_number_verified"}
)

// PersonClaims are the claims about a person that the scopes ask for (OpenID
// Connect Core 5.4), without sub. What is not known is left out (5.3.2).
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
		given(profileClaims)
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
		given(addressClaims)
	}
	if scope.Has(oauth.ScopePhone) {
		given(phoneClaims)
	}
	return claims
}

// UserInfo is the answer of userinfo (OpenID Connect Core 5.3.2): sub, which is
// the ID token's, the claims that the scopes ask for, and the tenant.
func UserInfo(user *directory.User, tenant *directory.Tenant, scope oauth.Scopes) map[string]any {
	claims := PersonClaims(user, scope)
	claims["sub"] = user.ID
	claims["tenant_id"] = tenant.ID
	claims["tenant_slug"] = tenant.Slug
	return claims
}
