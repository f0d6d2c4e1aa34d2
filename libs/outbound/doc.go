// Package outbound provides the one HTTP client for every URL that comes from registration or
// configuration: an application's jwks_uri, its back-channel logout URI, an upstream identity
// provider. A person who registers such a URL must not be able to make the platform connect to
// hosts that only the platform can reach (server-side request forgery). The client therefore
// speaks only https, checks every address at the moment it connects, follows no redirects, uses
// no proxy, and limits time and size. The operator's list of exceptions is the only way around
// this.
//
// It isn't for the platform's own dependencies: the operator decides where the database, Vault
// and telemetry are.
package outbound
