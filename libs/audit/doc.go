// Package audit is the vocabulary of the audit trail: what is worth a row, and
// what a row says. It records decisions and administration, not each token.
//
// A service that cannot write the trail logs that and goes on: the trail must
// not be a way to stop sign-ins. Administration is the exception: it writes its
// rows in the transaction of what it changes, so that nothing changes unseen.
//
// Events carry identifiers only. No code, token, secret, verifier, password or
// e-mail address is in any field, also not in Detail. A failure names the account
// by a keyed pseudonym.
//
// Rows are chained: each replica of a service has one chain a day, in which a row
// holds the hash of the row before, and the keys service seals every day that is
// over. So a row that was changed, taken out, moved or added later is found, and so
// is a chain or a day that was taken out whole. A hash needs no key: an attacker who
// owns the database can write every later row and seal anew. Against that stands
// what was exported meanwhile, for an export has the hashes.
package audit
