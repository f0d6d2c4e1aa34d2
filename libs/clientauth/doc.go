// Package clientauth determines which application sent a request and whether the application
// proved its identity: by client_secret_basic or client_secret_post (RFC 6749 2.3.1), by
// private_key_jwt (RFC 7523 2.2, OpenID Connect Core 9), or by none, for applications that
// cannot keep a secret.
//
// ParseForm reads what was sent. An Authenticator checks it against the registered application,
// accepts an assertion only once, and counts failures per client and address. The package knows
// neither HTTP nor storage: the edge passes in strings, the caller looks up the application,
// and fetching and storing go through ports, whose adapters are in the folders below.
package clientauth
