// Package app holds the use cases of the authorization endpoint: starting a request,
// keeping a request that arrived by POST, and continuing a request after the person has
// been to the sign-in pages.
package app
