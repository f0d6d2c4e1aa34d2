// Package oauth is the protocol's vocabulary: error codes, scopes, PKCE,
// redirect-URI matching, grant types, prompts and user codes, each with the
// section of the standard it comes from. It imports the standard library only
// and knows neither HTTP nor storage, so every ring of every service may use it.
package oauth
