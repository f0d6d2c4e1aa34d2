// Package admin is what an operator does to one thing: replace a secret, set a
// password, disable, end sessions. Making things is package manifest's, so that
// a file and a command line follow the same rules.
//
// Each change and its rows in the audit trail are one transaction.
package admin
