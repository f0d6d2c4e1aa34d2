package domain

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Metadata is the provider's published configuration: OpenID Connect Discovery 1.0 3, RFC
// 8414 2 (including revocation and introspection), RFC 8628 4, RFC 9207 3, OpenID Connect
// RP-Initiated Logout 2.1, Back-Channel Logout 2.1 and Initiating User Registration 4. The
// same document is served in both places. It lists only what is supported.
type Metadata struct {
	Issuer                        string   `json:"issuer"`
	AuthorizationEndpoint         string   `json:"authorization_endpoint"`
	TokenEndpoint                 string   `json:"token_endpoint"`
	UserinfoEndpoint              string   `json:"userinfo_endpoint"`
	JWKSURI                       string   `json:"jwks_uri"`
	EndSessionEndpoint            string   `json:"end_session_endpoint"`
	RevocationEndpoint            string   `json:"revocation_endpoint"`
	IntrospectionEndpoint         string   `json:"introspection_endpoint"`
	DeviceAuthorizationEndpoint   string   `json:"device_authorization_endpoint"`
	ScopesSupported               []string `json:"scopes_supported"`
	ResponseTypesSupported        []string `json:"response_types_supported"`
	ResponseModesSupported        []string `json:"response_modes_supported"`
	GrantTypesSupported           []string `json:"grant_types_supported"`
	ACRValuesSupported            []string `json:"acr_values_supported"`
	SubjectTypesSupported         []string `json:"subject_types_supported"`
	IDTokenSigningAlgs            []string `json:"id_token_signing_alg_values_supported"`
	TokenEndpointAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethods         []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgs            []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthMethods      []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgs         []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
	PromptValuesSupported         []string `json:"prompt_values_supported"`
	ClaimsSupported               []string `json:"claims_supported"`
	BackchannelLogout             bool     `json:"backchannel_logout_supported"`
	BackchannelLogoutSession      bool     `json:"backchannel_logout_session_supported"` // logout tokens contain sid
	AuthorizationResponseIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameterSupported      bool     `json:"claims_parameter_supported"`
	RequestParameterSupported     bool     `json:"request_parameter_supported"`
	RequestURIParameterSupported  bool     `json:"request_uri_parameter_supported"` // defaults to true if absent
}

// NewMetadata returns the metadata of the platform at origin, whose ID tokens are signed
// with the algorithms of the published keys.
func NewMetadata(origin string, published []signing.Key) Metadata {
	platform := origin + oauth.PlatformPath
	issuer := origin + oauth.IssuerPath
	return Metadata{
		Issuer:                      issuer,
		AuthorizationEndpoint:       issuer + "/authorize",
		TokenEndpoint:               issuer + "/token",
		UserinfoEndpoint:            issuer + "/userinfo",
		JWKSURI:                     platform + "/.well-known/jwks.json",
		EndSessionEndpoint:          issuer + "/logout",
		RevocationEndpoint:          issuer + "/revoke",
		IntrospectionEndpoint:       issuer + "/introspect",
		DeviceAuthorizationEndpoint: issuer + "/device/authorize",
		ScopesSupported: []string{
			oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone,
			oauth.ScopeOfflineAccess,
		},
		ResponseTypesSupported:        []string{"code"},
		ResponseModesSupported:        []string{string(oauth.ResponseModeQuery), string(oauth.ResponseModeFormPost)},
		GrantTypesSupported:           grantTypes(),
		ACRValuesSupported:            []string{oauth.ACRPassword},
		SubjectTypesSupported:         []string{"public"},
		IDTokenSigningAlgs:            signingAlgorithms(published),
		TokenEndpointAuthMethods:      append(confidential(), "none"),
		TokenEndpointAuthAlgs:         assertionAlgorithms(),
		RevocationAuthMethods:         append(confidential(), "none"),
		RevocationAuthAlgs:            assertionAlgorithms(),
		IntrospectionAuthMethods:      confidential(),
		IntrospectionAuthAlgs:         assertionAlgorithms(),
		CodeChallengeMethodsSupported: []string{oauth.PKCEMethodS256},
		PromptValuesSupported: []string{
			oauth.PromptNone, oauth.PromptLogin, oauth.PromptConsent, oauth.PromptSelectAccount,
		},
		ClaimsSupported:             claims(),
		BackchannelLogout:           true,
		BackchannelLogoutSession:    true,
		AuthorizationResponseIssuer: true,
	}
}

func grantTypes() []string {
	list := []string{}
	for _, grant := range oauth.GrantTypes() {
		list = append(list, string(grant))
	}
	return list
}

// confidential returns the methods by which confidential applications authenticate. Public
// ones have none (RFC 7591 2).
func confidential() []string {
	return []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
}

// assertionAlgorithms returns the algorithms with which applications may sign
// private_key_jwt assertions (RFC 7523 2.2), whatever keys the platform has.
func assertionAlgorithms() []string {
	return []string{string(signing.RS256), string(signing.PS256), string(signing.ES256), string(signing.EdDSA)}
}

// signingAlgorithms returns the algorithms that have a published key, RS256 first. OpenID
// Connect Discovery 3 requires RS256, and it always has a key.
func signingAlgorithms(published []signing.Key) []string {
	list := []string{}
	for _, alg := range []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA} {
		if slices.ContainsFunc(published, func(k signing.Key) bool { return k.Algorithm == alg }) {
			list = append(list, string(alg))
		}
	}
	return list
}

// claims returns the claims of ID tokens and userinfo.
func claims() []string {
	return []string{
		"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "gid", "acr", "amr",
		"tenant_id", "tenant_slug",
		"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username",
		"profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "updated_at",
		"email", "email_verified", "address", "phone_number", "phone_number_verified",
	}
}
