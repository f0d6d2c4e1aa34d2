// Package httpapi serves the authorization endpoint over HTTP. It reads the parameters from
// the query or the form, calls the use cases, and writes their results as redirects, as a
// form_post page or, where redirecting isn't allowed, as an error.
package httpapi
