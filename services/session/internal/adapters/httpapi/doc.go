// Package httpapi is the session service's HTTP: the sign-in pages under
// /auth/flows, their assets, and logout. It turns requests into use cases and
// steps into pages. Every form is answered with 303 to the flow's own address,
// so reloading and going back never send a form again; the one exception is an
// address that cannot be one, which is shown again as typed.
package httpapi
