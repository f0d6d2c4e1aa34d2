// Package app holds the use cases of the session service. SignIn leads a flow through e-mail
// address, password, tenant and consent. Account shows people what has access to their account,
// and ends it. Logout ends the session of a browser, and Backchannel tells the applications.
// Browsers, Prover and Journal hold what the use cases share: cookies and their sessions, the
// check of a password, and the audit trail.
//
// Every step of a flow opens the flow first, which checks that it exists, belongs to this
// browser, and has neither expired nor been used. The next step is always derived from the
// rows, so a form that is submitted twice or out of turn changes nothing.
package app
