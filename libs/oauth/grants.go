package oauth

// GrantType is a value of the token endpoint's grant_type.
type GrantType string

// Grant types.
const (
	GrantAuthorizationCode GrantType = "authorization_code"                              // RFC 6749 4.1.3
	GrantClientCredentials GrantType = "client_credentials"                              // RFC 6749 4.4.2
	GrantRefreshToken      GrantType = "refresh_token"                                   // RFC 6749 6
	GrantDeviceCode        GrantType = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628 3.4
	GrantTokenExchange     GrantType = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 2.1
)

// ResponseMode says how the authorization response is sent.
type ResponseMode string

// Response modes: OAuth 2.0 Multiple Response Type Encoding Practices 2.1 and
// OAuth 2.0 Form Post Response Mode.
const (
	ResponseModeQuery    ResponseMode = "query"
	ResponseModeFormPost ResponseMode = "form_post"
)

// Scopes with a meaning of their own (OpenID Connect Core 5.4 and 11).
const (
	ScopeOpenID        = "openid"
	ScopeProfile       = "profile"
	ScopeEmail         = "email"
	ScopeAddress       = "address"
	ScopePhone         = "phone"
	ScopeOfflineAccess = "offline_access"
)

// Authentication context classes that this platform vouches for.
const (
	ACRPassword   = "1"
	ACRTwoFactors = "2"
)

// AMRPassword is the authentication method of a password (RFC 8176 2).
const AMRPassword = "pwd"
