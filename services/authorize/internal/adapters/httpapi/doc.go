// Package httpapi serves the authorization endpoint over HTTP: it reads what came
// by query or form, drives the use cases, and writes their answers as redirects,
// as a form_post page or, where nothing may be redirected, as an error.
package httpapi
