package directory

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// ApplicationType decides whether an application can keep a secret (RFC 6749
// 2.1).
type ApplicationType string

// Application types.
const (
	Web     ApplicationType = "WEB"     // confidential, for people
	Service ApplicationType = "SERVICE" // confidential, without people
	SPA     ApplicationType = "SPA"     // public, in a browser
	Native  ApplicationType = "NATIVE"  // public, on a device (RFC 8252)
)

// ScopeLevel says whether an application serves all tenants or one.
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
	TenantID               string // tenant of a TENANT application
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackchannelLogoutURI   string
	Grants                 []oauth.GrantType
	Scopes                 oauth.Scopes
	Audiences              []string // resources it may request
	DefaultAudience        string   // aud when no resource is requested; if empty, the issuer
	ResourcesServed        []string // resources whose tokens it may introspect and exchange
	FirstParty             bool     // no consent page
	AllowLocalhostRedirect bool
	AllowUndottedSchemes   bool // private-use redirect schemes may lack a period
	IDTokenClaims          bool
	DeviceRequiresAuth     bool
	TokenEndpointAudience  bool // its client assertions may name the token endpoint as aud
	// Development marks an application under development. Whatever its type, it may redirect to
	// http on loopback.
	Development bool
	// InitiateLoginURI is where a person begins to sign in at the application (OpenID Connect
	// Core 4). It may be empty.
	InitiateLoginURI string
	AccessTokenAlg   string
	IDTokenAlg       string
	AccessTokenTTL   time.Duration
	RefreshTokenTTL  time.Duration
	RefreshIdleTTL   time.Duration
	// RefreshGrace is nil for the platform's default; zero switches it off.
	RefreshGrace *time.Duration
	CORSOrigins  []string
	JWKS         json.RawMessage // keys of private_key_jwt, or nil
	JWKSURI      string
	Active       bool
	// Secrets are the hashes valid now or later. There may be two while one is being replaced;
	// public applications have none.
	Secrets []ApplicationSecret
}

// ApplicationSecret is one client secret as stored.
type ApplicationSecret struct {
	ID        string
	Hash      []byte    // SHA-256 of the secret
	ExpiresAt time.Time // zero: never
}

// Public reports whether the application cannot keep a secret. Such an application must use
// PKCE and cannot use client_credentials.
func (a *Application) Public() bool { return a.Type == SPA || a.Type == Native }

// ResourceFor returns the resource (RFC 8707) that an authorization request is for: the one it
// names, or else that of DefaultAudience, which may be empty. The person is asked to consent to
// this resource.
func (a *Application) ResourceFor(named string) string {
	if named == "" {
		return a.DefaultAudience
	}
	return named
}

// Claimable reports whether any program on the person's device could claim the redirect URI and
// pass for the application (RFC 8252 8.6). If so, consent is asked for every time and never
// remembered.
func (a *Application) Claimable(redirectURI string) bool {
	return (a.Public() || a.Development) && !oauth.IsWebRedirect(redirectURI)
}

// MisplacedLoopback reports whether uri is http on loopback although the application is neither
// NATIVE (RFC 8252 7.3) nor in development. On a platform that itself runs on loopback this
// doesn't matter.
func (a *Application) MisplacedLoopback(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	return a.Type != Native && !a.Development && strings.EqualFold(scheme, "http")
}

// AllowsGrant reports whether the application may use a grant type.
func (a *Application) AllowsGrant(g oauth.GrantType) bool { return slices.Contains(a.Grants, g) }

// AllowsRedirect reports whether uri matches one of the application's redirect URIs; see
// oauth.MatchRedirectURI.
func (a *Application) AllowsRedirect(uri string) bool {
	return oauth.MatchRedirectURI(a.RedirectURIs, uri, a.Type == Native, a.AllowLocalhostRedirect)
}
