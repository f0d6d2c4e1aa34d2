// Package keys implements the service that creates the platform's signing keys, rotates
// them without a gap, and publishes what others need to verify tokens and find the
// endpoints: the JWKS (RFC 7517 5), the OpenID Provider configuration (OpenID Connect
// Discovery 1.0) and the authorization server metadata (RFC 8414). It signs nothing and
// never sees a private key.
//
// The rotation schedule is stored in the database, and every replica of every service
// follows it. A key is published for PLATFORM_KEY_PUBLISH_AHEAD before it signs, which is
// at least twice as long as the set may be cached. It stays published for at least a day,
// the longest life of a token, after it was replaced. The clocks of replicas may differ by
// seconds: the replicas then switch keys that far apart, but each accepts the other's key
// throughout.
//
// Where nothing can be published ahead, a verifier may meet a key that it doesn't know.
// That happens when an operator makes the next key sign at once, or revokes the active key
// while no next one is published. On a new platform the first keys sign at once too, and
// for some minutes the set may not be cached. The first key of an algorithm that is
// configured later waits until every cached copy of the set has it, which takes an hour or
// so; meanwhile tokens are signed with another algorithm that is in use.
//
// The set is served from memory. While the database or the key backend is unavailable,
// replicas serve the last good set, and a replica that starts then answers 503. The set is
// never empty.
package keys
