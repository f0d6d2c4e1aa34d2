// Package httpapi serves the session service over HTTP: the sign-in pages under /auth/flows
// and /auth/tenants, their assets, the account page, and logout. It turns requests into use
// case calls and steps into pages.
//
// Every form is answered with 303, so that reloading and going back never send a form
// again. There are two exceptions: an address that can't be valid, where the page shows it
// again as typed, and a new password that is refused, where the page shows none of what was
// typed.
package httpapi
