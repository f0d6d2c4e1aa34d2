// Package session is the service that knows who a browser belongs to: the
// sign-in and consent pages and the tenants' entrances under /auth, the single
// sign-on session behind the cookie, the account page, and logout. It issues no
// codes and no tokens but logout tokens: it writes what a person decided into the
// flow's row and sends the browser back to where it came from.
//
// A browser has up to four cookies: one that binds flows and forms, the session
// in use, one that all sessions of the browser share (several people may be signed
// in, and choose), and a signed one by which accounts know the browser again, so
// that a stranger who guesses at an account slows down others than its owner.
package session
