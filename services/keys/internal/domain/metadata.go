package domain

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Metadata is what the provider says about itself: OpenID Connect Discovery 1.0
// 3, RFC 8414 2, RFC 8628 4, RFC 9207 3, OpenID Connect RP-Initiated Logout 2.1
// and Initiating User Registration 4. One document serves both places. It names
// only what works.
type Metadata struct {
	Issuer                        string   `json:"issuer"`
	AuthorizationEndpoint         string   `json:"authorization_endpoint"`
	TokenEndpoint                 string   `json:"token_endpoint"`
	UserinfoEndpoint              string   `json:"userinfo_endpoint"`
	JWKSURI                       string   `json:"jwks_uri"`
	EndSessionEndpoint            string   `json:"end_session_endpoint"`
	DeviceAuthorizationEndpoint   string   `json:"device_authorization_endpoint"`
	ScopesSupported               []string `json:"scopes_supported"`
	ResponseTypesSupported        []string `json:"response_types_supported"`
	ResponseModesSupported        []string `json:"response_modes_supported"`
	GrantTypesSupported           []string `json:"grant_types_supported"`
	ACRValuesSupported            []string `json:"acr_values_supported"`
	SubjectTypesSupported         []string `json:"subject_types_supported"`
	IDTokenSigningAlgs            []string `json:"id_token_signing_alg_values_supported"`
	TokenEndpointAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
	PromptValuesSupported         []string `json:"prompt_values_supported"`
	ClaimsSupported               []string `json:"claims_supported"`
	AuthorizationResponseIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameterSupported      bool     `json:"claims_parameter_supported"`
	RequestParameterSupported     bool     `json:"request_parameter_supported"`
	RequestURIParameterSupported  bool     `json:"request_uri_parameter_supported"` // absent would mean true
}

// NewMetadata describes the platform at origin, whose ID tokens are signed with
// the algorithms of the published keys.
func NewMetadata(origin string, published []signing.Key) Metadata {
	platform := origin + "/api/v1/platform"
	issuer := platform + "/oauth"
	return Metadata{
		Issuer:                      issuer,
		AuthorizationEndpoint:       issuer + "/authorize",
		TokenEndpoint:               issuer + "/token",
		UserinfoEndpoint:            issuer + "/userinfo",
		JWKSURI:                     platform + "/.well-known/jwks.json",
		EndSessionEndpoint:          issuer + "/logout",
		DeviceAuthorizationEndpoint: issuer + "/device/authorize",
		ScopesSupported:             []string{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone},
		ResponseTypesSupported:      []string{"code"},
		ResponseModesSupported:      []string{string(oauth.ResponseModeQuery), string(oauth.ResponseModeFormPost)},
		GrantTypesSupported: []string{
			string(oauth.GrantAuthorizationCode), string(oauth.GrantClientCredentials), string(oauth.GrantDeviceCode),
		},
		ACRValuesSupported:            []string{oauth.ACRPassword},
		SubjectTypesSupported:         []string{"public"},
		IDTokenSigningAlgs:            signingAlgorithms(published),
		TokenEndpointAuthMethods:      []string{"client_secret_basic", "client_secret_post", "none"},
		CodeChallengeMethodsSupported: []string{oauth.PKCEMethodS256},
		PromptValuesSupported:         []string{oauth.PromptNone, oauth.PromptLogin, oauth.PromptConsent, oauth.PromptSelectAccount},
		ClaimsSupported:               claims(),
		AuthorizationResponseIssuer:   true,
	}
}

// signingAlgorithms are those that have a key, RS256 first: OpenID Connect
// Discovery 3 demands it, and it always has one.
func signingAlgorithms(published []signing.Key) []string {
	list := []string{}
	for _, alg := range []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA} {
		if slices.ContainsFunc(published, func(k signing.Key) bool { return k.Algorithm == alg }) {
			list = append(list, string(alg))
		}
	}
	return list
}

// claims are those of the ID token and of userinfo.
func claims() []string {
	return []string{
		"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "acr", "amr", "tenant_id", "tenant_slug",
		"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "updated_at",
		"email", "email_verified", "address", "phone_number", "phone_number_verified",
	}
}
