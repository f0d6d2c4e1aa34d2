// Package app holds the use cases of the authorization endpoint: start a request,
// keep one that arrived by POST, and continue one whose person has been to the
// sign-in pages.
package app
