// Package session is the service that knows who a browser belongs to: the
// sign-in and consent pages under /auth, the single sign-on session behind the
// cookie, and logout. It issues no codes and no tokens: it writes what a person
// decided into the flow's row and sends the browser back to where it came from.
package session
