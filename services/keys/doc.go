// Package keys is the service that makes the platform's signing keys, rotates
// them without a gap, and publishes what others need to verify tokens and to find
// the endpoints: the JWKS (RFC 7517 5), the OpenID Provider's configuration
// (OpenID Connect Discovery 1.0) and the authorization server's metadata (RFC
// 8414). It signs nothing and never sees a private key.
package keys
