// Package admin carries out an operator's changes to single things: replacing a secret,
// setting a password, disabling, ending sessions, ordering or revoking a signing key.
// Package manifest creates things, so that a file and a command line follow the same rules;
// only the keys service makes keys.
//
// Each change and its rows in the audit trail are written in one transaction.
package admin
