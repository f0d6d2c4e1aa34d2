// Package token is the service that issues tokens, ends them, and answers what
// they stand for: the token endpoint (RFC 6749 3.2), revocation (RFC 7009),
// introspection (RFC 7662) and userinfo (OpenID Connect Core 5.3).
// It shows no page and keeps no session; what it knows about people's decisions
// it reads from the rows that the other services wrote.
package token
