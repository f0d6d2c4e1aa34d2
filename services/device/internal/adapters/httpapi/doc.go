// Package httpapi serves device authorization over HTTP: the endpoint that devices call,
// the endpoint that takes the decision about a user code, and the pages on which a person
// types the code and decides.
package httpapi
