// Package domain holds the rules of the authorization endpoint: how a request is parsed
// (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1), what makes it invalid, whether the
// browser's session answers it, and how the response is delivered (RFC 6749 4.1.2, RFC
// 9207). It doesn't depend on HTTP or storage.
package domain
