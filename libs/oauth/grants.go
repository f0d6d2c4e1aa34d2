package oauth

import "slices"

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

// grants is the only list of the grant types that the platform serves, in the order of its
// metadata. The metadata, the declarative file, the commands and the metrics range over it; the
// token service adds what each grant does.
var grants = []grant{
	{kind: GrantAuthorizationCode, name: "authorization_code"},
	{kind: GrantRefreshToken, name: "refresh_token"},
	{kind: GrantClientCredentials, name: "client_credentials", confidential: true}, // RFC 6749 4.4
	{kind: GrantDeviceCode, name: "device_code"},
	{kind: GrantTokenExchange, name: "token_exchange", confidential: true},
}

// grant is what the platform says of a grant type wherever it names one.
type grant struct {
	kind         GrantType
	name         string // as operators write it
	confidential bool   // for applications that can authenticate only
}

// GrantTypes returns the grant types that the platform serves.
func GrantTypes() []GrantType {
	types := make([]GrantType, len(grants))
	for i, g := range grants {
		types[i] = g.kind
	}
	return types
}

// GrantNames returns the names of the grant types that the platform serves, in the order of
// GrantTypes.
func GrantNames() []string {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = g.name
	}
	return names
}

// ParseGrantName returns the grant type with the given name.
func ParseGrantName(name string) (GrantType, bool) {
	i := slices.IndexFunc(grants, func(g grant) bool { return g.name == name })
	if i < 0 {
		return "", false
	}
	return grants[i].kind, true
}

// Name returns the short name of a grant type, which the declarative file, the commands and the
// metrics use. It is the grant type itself if the platform doesn't serve it.
func (t GrantType) Name() string {
	if i := t.index(); i >= 0 {
		return grants[i].name
	}
	return string(t)
}

// Confidential reports whether only applications that can authenticate may use a grant type.
func (t GrantType) Confidential() bool {
	i := t.index()
	return i >= 0 && grants[i].confidential
}

func (t GrantType) index() int {
	return slices.IndexFunc(grants, func(g grant) bool { return g.kind == t })
}

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
