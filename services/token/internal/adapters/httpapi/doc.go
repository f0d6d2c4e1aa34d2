// Package httpapi serves the token service over HTTP. It parses token requests and bearer
// tokens once, and writes token responses, claims, and the challenges that go with refusals
// (RFC 6749 5.2, RFC 6750 3).
package httpapi
