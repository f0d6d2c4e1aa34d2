// Package httpkit is the HTTP edge that every service shares: the gin engine, the handling
// around each request (span, RED metrics, log line, recovery, security headers, size and time
// limits, input hygiene), the reading of parameters, and the one writer of errors.
//
// A service gives NewHandler its part of the route table and a handler for each operation id. A
// handler reads its input with Query, Form or Body, and ends in JSON, SeeOther, a page, or
// Fail. Every error goes through Fail, which alone turns errors into HTTPValidationError (422),
// OAuth error documents (RFC 6749 5.2) or pages, and logs what the caller must not see.
//
// Conventions that handlers may rely on:
//
//   - Input returned by Query, Form, Body or a path parameter is valid UTF-8
//     without NUL; PostgreSQL would refuse anything else.
//   - The request's context carries the span and the deadline; pass
//     c.Request.Context() on.
//   - Every failure has a reference: the trace id, or a random number if there
//     is no trace. It is in the log line as "reference", on the page, and in the
//     response's X-Request-Id header. A caller's own X-Request-Id is ignored.
//   - URLs are never built from Host or X-Forwarded-*. The configured public URL
//     decides, and handlers get it from their configuration.
//
// The package knows no service, no storage and no configuration source.
package httpkit
