// Package httpapi is the session service's HTTP: the sign-in pages under
// /auth/flows and /auth/tenants, their assets, the account page, and logout. It
// turns requests into use cases and steps into pages. Every form is answered with
// 303, so reloading and going back never send a form again; the exceptions are an
// address that cannot be one, which is shown again as typed, and a new password
// that is refused, of which nothing is shown again.
package httpapi
