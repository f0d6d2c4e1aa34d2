// Package clientauth tells which application sends a request and whether it has
// proven so: client_secret_basic and client_secret_post (RFC 6749 2.3.1),
// private_key_jwt (RFC 7523 2.2, OpenID Connect Core 9) and none, for applications
// that can keep no secret. ParseForm reads what was sent; an Authenticator judges
// it against the registered application, sees to it that an assertion is good
// once, and counts failures per client and address. It knows neither HTTP nor
// storage: the edge hands in strings, the caller looks the application up, and
// what is fetched and stored comes through ports, for which the folders below have
// adapters.
package clientauth
