// Package login keeps a Vault client logged in: by a token, AppRole or Kubernetes.
// It renews the token before it ends, and when it can be renewed no longer logs in
// again while the old one still counts, so that no request fails in between. It
// does not know what the token is used for.
package login
