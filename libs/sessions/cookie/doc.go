// Package cookie carries the two cookies that the browser-facing services share:
// the browser cookie, which binds every flow to the browser that started it, and
// the session cookie of single sign-on. It also derives CSRF tokens from the
// browser cookie, so that no service needs a key for them. It reads no table:
// what a value stands for is libs/sessions/sqlstore's business.
package cookie
