package manifest

import "time"

// File is the content of the declarative file. A nil section says nothing about its kind;
// an empty one says that there are none (which matters only to --prune). Enabled is nil if
// the file leaves the state as it is: enabled, unless an operator's command disabled it.
type File struct {
	Tenants      []Tenant      `yaml:"tenants"`
	Users        []User        `yaml:"users"`
	Applications []Application `yaml:"applications"`
}

// Tenant is an organisation.
type Tenant struct {
	Slug             string   `yaml:"slug"`
	Name             string   `yaml:"name"`
	Domains          []string `yaml:"domains"`
	SSOOnly          bool     `yaml:"sso_only"`
	Color            string   `yaml:"color"`
	Enabled          *bool    `yaml:"enabled"`
	IdentityProvider any      `yaml:"identity_provider"`
}

// User is a person.
type User struct {
	Email         string         `yaml:"email"`
	EmailVerified bool           `yaml:"email_verified"`
	Name          string         `yaml:"name"`
	GivenName     string         `yaml:"given_name"`
	FamilyName    string         `yaml:"family_name"`
	Password      string         `yaml:"password"`
	PasswordHash  string         `yaml:"password_hash"`
	Tenants       []string       `yaml:"tenants"`
	Enabled       *bool          `yaml:"enabled"`
	Claims        map[string]any `yaml:"claims"`
}

// Application is an OAuth client.
type Application struct {
	ClientID               string    `yaml:"client_id"`
	Name                   string    `yaml:"name"`
	Type                   string    `yaml:"type"`
	ScopeLevel             string    `yaml:"scope_level"`
	Tenant                 string    `yaml:"tenant"`
	Enabled                *bool     `yaml:"enabled"`
	ClientSecret           string    `yaml:"client_secret"`
	ClientSecretFile       string    `yaml:"client_secret_file"`
	ClientSecretHash       string    `yaml:"client_secret_hash"`
	JWKS                   any       `yaml:"jwks"`
	JWKSURI                string    `yaml:"jwks_uri"`
	RedirectURIs           []string  `yaml:"redirect_uris"`
	PostLogoutRedirectURIs []string  `yaml:"post_logout_redirect_uris"`
	BackchannelLogoutURI   string    `yaml:"backchannel_logout_uri"`
	Grants                 []string  `yaml:"grants"`
	Scopes                 []string  `yaml:"scopes"`
	Audiences              []string  `yaml:"audiences"`
	DefaultAudience        string    `yaml:"default_audience"`
	ResourcesServed        []string  `yaml:"resources_served"`
	FirstParty             bool      `yaml:"first_party"`
	AllowLocalhostRedirect bool      `yaml:"allow_localhost_redirect"`
	AllowUndottedSchemes   bool      `yaml:"allow_undotted_schemes"`
	IDTokenClaims          bool      `yaml:"id_token_claims"`
	DeviceRequiresAuth     bool      `yaml:"device_requires_auth"`
	TokenEndpointAudience  bool      `yaml:"token_endpoint_audience"`
	AccessTokenAlg         string    `yaml:"access_token_alg"`
	IDTokenAlg             string    `yaml:"id_token_alg"`
	AccessTokenTTL         Duration  `yaml:"access_token_ttl"`
	RefreshTokenTTL        Duration  `yaml:"refresh_token_ttl"`
	RefreshIdleTTL         Duration  `yaml:"refresh_idle_ttl"`
	RefreshGrace           *Duration `yaml:"refresh_grace"`
	CORSOrigins            []string  `yaml:"cors_origins"`
	Development            bool      `yaml:"development"`
	InitiateLoginURI       string    `yaml:"initiate_login_uri"`
}

// Duration is a duration in Go's syntax, such as "15m" or "720h".
type Duration time.Duration
