// Package jwks keeps the key sets that applications publish at their jwks_uri
// (RFC 7591 2): fetched when first needed, for some minutes, and again when a key
// turns up that they do not have. Whom it may ask is the fetcher's to decide.
package jwks
