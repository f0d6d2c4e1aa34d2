// Package session implements the service that knows which person a browser belongs to. It
// serves the sign-in and consent pages and the tenants' entrances under /auth, the account
// page and logout, and keeps the single sign-on session behind the cookie. It issues logout
// tokens, but no codes and no other tokens: it writes the person's decision into the flow's
// row and sends the browser back to where it came from.
//
// A browser has up to four cookies. One binds flows and forms, one identifies the session
// in use, and one is shared by all sessions of the browser, since several people may be
// signed in and choose between accounts. The fourth is signed and lets accounts recognize
// the browser, so that an attacker who guesses at an account doesn't slow down its owner.
package session
