// Package authorize is the authorization endpoint (RFC 6749 3.1, OpenID Connect
// Core 3.1.2): it validates a request, answers it from the browser's session where
// that suffices, and otherwise stores it for the sign-in pages and issues the code
// when the browser returns from them. It shows no page of its own but errors and
// the form_post one, and reads no secret of any application.
package authorize
