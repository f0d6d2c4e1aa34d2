// Package app is what the token service does. Issuer answers token requests: one
// pipeline that every grant type goes through, so that none can skip a step.
// UserInfo answers what a token's bearer may know about its person, Introspector
// what an application may know about a token, and Revoker ends tokens.
package app
