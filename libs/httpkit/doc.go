// Package httpkit is the HTTP edge that every service shares: the gin engine,
// what happens around each request (span, RED metrics, log line, recovery,
// security headers, limits of size and time, hygiene of input), how parameters
// are read, and the one writer of errors.
//
// A service hands NewHandler its part of the route table and a handler for each
// operation id. A handler reads its input with Query, Form or Body, and ends in
// JSON, SeeOther, a page, or Fail. Whatever goes wrong goes through Fail: it alone
// turns errors into HTTPValidationError (422), OAuth error documents (RFC 6749
// 5.2) or pages, and logs what the caller must not see.
//
// Conventions that handlers may rely on:
//
//   - Everything a stranger sends is valid UTF-8 without NUL once Query, Form,
//     Body or a path parameter hands it out; PostgreSQL would refuse it otherwise.
//   - The request's context carries the span and the deadline; pass
//     c.Request.Context() on.
//   - Every failure has a reference: the trace id, or a random number where no
//     trace is. It is in the log line as "reference", on the page, and in the
//     answer's X-Request-Id header. A caller's own X-Request-Id is not believed.
//   - No URL is ever made from Host or X-Forwarded-*: the configured public URL
//     decides, and handlers get it from their configuration.
//
// The package knows no service, no storage and no configuration source.
package httpkit
