// Package domain holds the rules of tokens that need nothing but their input:
// which claims an access token and an ID token carry, whom they are for, which
// scopes an application gets, and what userinfo tells.
package domain
