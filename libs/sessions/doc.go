// Package sessions holds the plain types of a browser's single sign-on session and of
// remembered consent, as authorize, token, device and session see them. The session service
// writes sessions; sqlstore reads them and ends them, and cookie carries them.
package sessions
