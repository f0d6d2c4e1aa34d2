// Package app holds the use cases of the token service. Issuer answers token requests with
// one pipeline that every grant type goes through, so that no grant can skip a step.
// UserInfo returns what a token's bearer may know about its person, Introspector returns
// what an application may know about a token, and Revoker revokes tokens.
package app
