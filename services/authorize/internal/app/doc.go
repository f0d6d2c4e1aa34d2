// Package app holds the use cases of the authorization endpoint, in the order in which a request
// meets them: authorizer.go starts a request or keeps one that arrived by POST, answer.go issues
// a code at once or sends the browser to the sign-in pages, and continue.go takes up a request
// after the person has been there. people.go chooses among several people in one browser.
package app
