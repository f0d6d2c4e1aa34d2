// Package keys is the service that makes the platform's signing keys, rotates
// them without a gap, and publishes what others need to verify tokens and to find
// the endpoints: the JWKS (RFC 7517 5), the OpenID Provider's configuration
// (OpenID Connect Discovery 1.0) and the authorization server's metadata (RFC
// 8414). It signs nothing and never sees a private key.
//
// The schedule is rows, and every replica of every service goes by it: a key is
// published for PLATFORM_KEY_PUBLISH_AHEAD before it signs, which is at least twice
// as long as anybody may keep the set, and until a day, the longest life of a token,
// after it was replaced. Clocks of replicas may differ by seconds: they switch that
// far apart, and each accepts the other's key all the while.
//
// Where nothing can be published ahead, somebody may meet a key that they do not
// know: when an operator has the next one sign at once, or revokes the active one
// and no next one is published. On a new platform the first keys sign at once too,
// and for some minutes nobody may keep the set. The first key of an algorithm that
// is configured later waits until every copy of the set has it, an hour or so;
// meanwhile tokens are signed with another algorithm that is in use.
//
// The set is served from memory: the last good one when the database or the backend
// of the keys is away, and 503 by a replica that starts then. It is never empty.
package keys
