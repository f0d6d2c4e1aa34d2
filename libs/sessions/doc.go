// Package sessions holds the plain types of a browser's single sign-on session
// and of remembered consent, as authorize, token, device and session see them.
// Writing sessions is the session service's alone; sqlstore reads them, cookie
// carries them.
package sessions
