// Package domain holds the rules of tokens that depend on nothing but their input: which
// claims access tokens and ID tokens carry, which audience they have, which scopes an
// application gets, and what userinfo returns.
package domain
