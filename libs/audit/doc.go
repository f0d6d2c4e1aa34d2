// Package audit is the vocabulary of the audit trail: what is worth a row, and
// what a row says. It records decisions and administration, not each token.
//
// A service that cannot write the trail logs that and goes on: the trail must
// not be a way to stop sign-ins. Administration is the exception: it writes its
// rows in the transaction of what it changes, so that nothing changes unseen.
//
// Events carry identifiers only. No code, token, secret, verifier, password or
// e-mail address is in any field, also not in Detail.
package audit
