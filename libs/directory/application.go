package directory

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// ApplicationType decides whether an application can keep a secret (RFC 6749
// 2.1).
type ApplicationType string

// Application types.
const (
	Web     ApplicationType = "WEB"     // confidential, with people
	Service ApplicationType = "SERVICE" // confidential, without
	SPA     ApplicationType = "SPA"     // public, in a browser
	Native  ApplicationType = "NATIVE"  // public, on a device (RFC 8252)
)

// ScopeLevel says whether an application serves every tenant or one.
type ScopeLevel string

// Scope levels. Only Global applications may use the platform's endpoints.
const (
	Global       ScopeLevel = "GLOBAL"
	TenantScoped ScopeLevel = "TENANT"
)

// Application is an OAuth client (RFC 6749 2). Zero durations and algorithms
// mean the platform's default.
type Application struct {
	ClientID               string
	Name                   string
	Type                   ApplicationType
	ScopeLevel             ScopeLevel
	TenantID               string // of a TENANT application
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackchannelLogoutURI   string
	Grants                 []oauth.GrantType
	Scopes                 oauth.Scopes
	Audiences              []string // resources it may ask for
	DefaultAudience        string   // aud when no resource is asked for; else the issuer
	ResourcesServed        []string // resources whose tokens it may introspect and exchange
	FirstParty             bool     // no consent page
	AllowLocalhostRedirect bool
	AllowUndottedSchemes   bool // private-use redirect schemes may lack a period
	IDTokenClaims          bool
	DeviceRequiresAuth     bool
	TokenEndpointAudience  bool // its client assertions may name the token endpoint as aud
	AccessTokenAlg         string
	IDTokenAlg             string
	AccessTokenTTL         time.Duration
	RefreshTokenTTL        time.Duration
	RefreshIdleTTL         time.Duration
	// RefreshGrace is nil for the platform's default: zero switches it off.
	RefreshGrace *time.Duration
	CORSOrigins  []string
	JWKS         json.RawMessage // keys of private_key_jwt, or nil
	JWKSURI      string
	Active       bool
	// Secrets are the hashes that are valid now or later; two at once while one
	// is being replaced. Public applications have none.
	Secrets []ApplicationSecret
}

// ApplicationSecret is one client secret as it is kept.
type ApplicationSecret struct {
	ID        string
	Hash      []byte    // SHA-256 of the secret
	ExpiresAt time.Time // zero: never
}

// Public tells whether the application can keep no secret: it must use PKCE and
// cannot use client_credentials.
func (a *Application) Public() bool { return a.Type == SPA || a.Type == Native }

// AllowsGrant tells whether the application may use a grant type.
func (a *Application) AllowsGrant(g oauth.GrantType) bool { return slices.Contains(a.Grants, g) }

// AllowsRedirect tells whether uri is one of the application's own, by the rule
// of oauth.MatchRedirectURI.
func (a *Application) AllowsRedirect(uri string) bool {
	return oauth.MatchRedirectURI(a.RedirectURIs, uri, a.Type == Native, a.AllowLocalhostRedirect)
}
