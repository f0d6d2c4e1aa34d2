// Package clientauth tells which application sends a request and whether it has
// proven so: client_secret_basic and client_secret_post (RFC 6749 2.3.1) and
// none, for applications that can keep no secret. Parse reads what was sent,
// Authenticate judges it against the registered application. It knows neither
// HTTP nor storage: the edge hands in strings, the caller looks the application
// up.
package clientauth
