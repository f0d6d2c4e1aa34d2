// Package authorize implements the authorization endpoint (RFC 6749 3.1, OpenID Connect
// Core 3.1.2).
//
// It validates a request and, where the browser's session suffices, answers it at once.
// Otherwise it stores the request for the sign-in pages and issues the code when the
// browser returns from them. The only pages it renders are errors and the form_post page,
// and it reads no application's secret.
package authorize
