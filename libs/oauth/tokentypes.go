package oauth

// TokenType is a token type identifier of RFC 8693 3.
type TokenType string

// Token types that this platform knows.
const (
	TokenTypeAccessToken TokenType = "urn:ietf:params:oauth:token-type:access_token"
	TokenTypeIDToken     TokenType = "urn:ietf:params:oauth:token-type:id_token"
	TokenTypeJWT         TokenType = "urn:ietf:params:oauth:token-type:jwt"
)
