// Package login keeps a Vault client logged in with a token, AppRole or Kubernetes. It renews
// the token before it expires. When the token can't be renewed any longer, it logs in again
// while the old token is still valid, so that no request fails in between. It does not know
// what the token is used for.
package login
