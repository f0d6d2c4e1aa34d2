// Package admin is what an operator does to one thing: replace a secret, set a
// password, disable, end sessions, ask for a signing key or revoke one. Making
// things is package manifest's, so that a file and a command line follow the same
// rules; making keys is the keys service's alone.
//
// Each change and its rows in the audit trail are one transaction.
package admin
