// Package domain holds the rules of the authorization endpoint: how a request is
// read (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1), what makes it wrong, whether
// the browser's session answers it, and how the answer travels back (RFC 6749
// 4.1.2, RFC 9207). It knows neither HTTP nor storage.
package domain
