// Package cookie carries the two cookies that the browser-facing services share: the browser
// cookie, which binds every flow to the browser that started it, and the single sign-on session
// cookie. It also derives CSRF tokens from the browser cookie, so that no service needs a key
// for them. It reads no tables; libs/sessions/sqlstore looks up what a cookie's value stands
// for.
package cookie
