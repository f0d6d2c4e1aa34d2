package domain

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// Inactive is the introspection response for every token that isn't valid or that the
// caller may not know about (RFC 7662 2.2).
type Inactive struct {
	Active bool `json:"active"` // always false
}

// ActiveAccessToken is the introspection response for an access token: the token's claims
// (RFC 7662 2.2, RFC 9068 2.2).
type ActiveAccessToken struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type"` // RFC 6749 5.1, RFC 8693 2.2.1
	AccessToken
}

// ActiveRefreshToken is the introspection response for a refresh token. Times are in
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

// MayIntrospect reports whether app may learn what an access token says. The token's own
// client may, and so may an application that serves a resource that the token is for (RFC
// 7662 4). No application serves the issuer, which is in the audience of nearly every
// token, whatever is registered.
func MayIntrospect(app *directory.Application, token *AccessToken, issuer string) bool {
	return app.ClientID == token.ClientID || slices.ContainsFunc(token.Audience, func(resource string) bool {
		return resource != issuer && slices.Contains(app.ResourcesServed, resource)
	})
}

// IntrospectRefreshToken returns the response for a valid refresh token.
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
