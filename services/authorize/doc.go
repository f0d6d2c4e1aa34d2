// Package authorize implements the authorization endpoint (RFC 6749 3.1, OpenID Connect
// Core 3.1.2).
//
// It validates a request and, where the browser's session suffices, answers it at once.
// Otherwise it sends the browser to the sign-in pages, with the request sealed in the URL, and
// issues the code when the browser returns from them. A request that came by POST or is too long
// for a URL is stored. The only pages it renders are errors and the form_post page,
// and it reads no application's secret.
package authorize
