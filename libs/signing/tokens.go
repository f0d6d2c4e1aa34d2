package signing

import "time"

// JWS types (RFC 7515 4.1.9) of the platform's tokens and of those that it accepts.
const (
	TypeJWT         = "JWT"        // ID tokens
	TypeAccessToken = "at+jwt"     // RFC 9068 2.1
	TypeLogoutToken = "logout+jwt" // OpenID Connect Back-Channel Logout 2.4
	// TypeExchanged is the type of a token that an exchange issues when asked for a jwt. Such a
	// token makes a statement about a subject but isn't an access token, so verifiers that check
	// the type take it neither for one nor for an ID token (RFC 8725 3.11).
	TypeExchanged = "token-exchange+jwt"
	// TypeClientAssertion is a type of the assertions by which applications authenticate. Most of
	// them use TypeJWT or none.
	TypeClientAssertion = "client-authentication+jwt"
)

// LongestToken is the maximum lifetime of an access or ID token of any application. An application
// may have a longer lifetime than the platform's default, but neither may exceed this, because the
// schedule keeps a replaced key published for only so long.
const LongestToken = 24 * time.Hour

// MaxToken bounds the tokens and client assertions that are parsed, in bytes. The platform's own
// tokens are far smaller.
const MaxToken = 16 << 10
