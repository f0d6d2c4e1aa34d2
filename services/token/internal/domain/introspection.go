package domain

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// Inactive is what introspection answers about every token that is not good, or
// not the caller's to know of (RFC 7662 2.2).
type Inactive struct {
	Active bool `json:"active"` // false
}

// ActiveAccessToken is what introspection tells of an access token: what stands
// in it (RFC 7662 2.2, RFC 9068 2.2).
type ActiveAccessToken struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type"` // RFC 6749 5.1, RFC 8693 2.2.1
	AccessToken
}

// ActiveRefreshToken is what introspection tells of a refresh token; times are
// seconds since 1970.
type ActiveRefreshToken struct {
	Active     bool   `json:"active"`
	Issuer     string `json:"iss"`
	Subject    string `json:"sub"`
	ClientID   string `json:"client_id"`
	Scope      string `json:"scope"`
	ExpiresAt  int64  `json:"exp"`
	IssuedAt   int64  `json:"iat"`
	GrantID    string `json:"gid"`
	SessionID  string `json:"sid,omitempty"`
	TenantID   string `json:"tenant_id"`
	TenantSlug string `json:"tenant_slug"`
}

// MayIntrospect reports whether app may learn what an access token says: its own
// client, and a server of a resource that the token is for (RFC 7662 4). No application
// serves the issuer, whose name is in nearly every token, whatever is registered.
func MayIntrospect(app *directory.Application, token *AccessToken, issuer string) bool {
	return app.ClientID == token.ClientID || slices.ContainsFunc(token.Audience, func(resource string) bool {
		return resource != issuer && slices.Contains(app.ResourcesServed, resource)
	})
}

// IntrospectRefreshToken describes a refresh token that is good.
func IntrospectRefreshToken(r *grants.Refreshable, issuer string) *ActiveRefreshToken {
	return &ActiveRefreshToken{
		Active:     true,
		Issuer:     issuer,
		Subject:    r.Grant.UserID,
		ClientID:   r.ClientID,
		Scope:      r.Scope.String(),
		ExpiresAt:  r.ExpiresAt.Unix(),
		IssuedAt:   r.CreatedAt.Unix(),
		GrantID:    r.GrantID,
		SessionID:  r.Grant.SessionID,
		TenantID:   r.Grant.TenantID,
		TenantSlug: r.Tenant.Slug,
	}
}
