// Package app is what the token service does. Issuer answers token requests: one
// pipeline that every grant type goes through, so that none can skip a step.
// UserInfo answers what a token's bearer may know about its person.
package app
