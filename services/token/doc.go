// Package token implements the service that issues and revokes tokens and answers questions
// about them. It serves the token endpoint (RFC 6749 3.2), revocation (RFC 7009),
// introspection (RFC 7662) and userinfo (OpenID Connect Core 5.3).
//
// It renders no pages and keeps no sessions. It reads what people decided from the rows
// that the other services wrote.
package token
