// Package oauth defines the vocabulary of the protocol: error codes, scopes, PKCE, redirect-URI
// matching, grant types, prompts and user codes, each with the section of the standard that
// defines it. It imports only the standard library and knows neither HTTP nor storage, so every
// ring of every service may use it.
package oauth
