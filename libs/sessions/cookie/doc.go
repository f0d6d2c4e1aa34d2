// Package cookie carries the cookies that the browser-facing services share: the browser cookie,
// which binds every flow to a browser, the single sign-on session cookie, the accounts cookie,
// which stands for everybody signed in in the browser, and the device cookie, by which an account
// knows a browser again. It also derives CSRF tokens from the browser cookie, so that no service needs a key
// for them. It reads no tables; libs/sessions/sqlstore looks up what a cookie's value stands
// for.
package cookie
