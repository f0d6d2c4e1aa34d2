// Package outbound is the one client for everything that is fetched because a
// configuration names it: an application's jwks_uri, its back-channel logout
// URI, an upstream identity provider. Whoever registers such a URL must not be
// able to make the platform talk to what only the platform can reach
// (server-side request forgery), so the client speaks https only, looks at every
// address at the moment it connects, follows no redirect, uses no proxy, and
// bounds time and size. An operator's list of exceptions is the only way around.
//
// It is not for the platform's own dependencies: database, Vault and telemetry
// are where their operator says they are.
package outbound
