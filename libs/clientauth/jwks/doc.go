// Package jwks caches the key sets that applications publish at their jwks_uri (RFC 7591 2). A
// set is fetched when it is first needed, kept for some minutes, and fetched again when a key
// turns up that it doesn't contain. The fetcher decides which hosts may be contacted.
package jwks
