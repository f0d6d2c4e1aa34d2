// Package audit defines the vocabulary of the audit trail: which events are recorded, and what
// a row says. The trail records decisions and administration, not every token.
//
// A service that cannot write to the trail logs the failure and goes on: the trail must not
// become a way to stop sign-ins. Administration is the exception. It writes its rows in the
// same transaction as the change, so that no change goes unrecorded.
//
// Events carry identifiers only. No field, including Detail, holds a code, token, secret,
// verifier, password or e-mail address. A failure names the account by a keyed pseudonym.
//
// Rows are chained. Each replica of a service has one chain a day, in which a row holds the
// hash of the row before it, and the keys service seals every day once it is over. This reveals
// a row that was changed, removed, moved or added later, and a chain or a day that was removed
// whole. The hashes use no key, so an attacker who controls the database can rewrite every
// later row and seal the days again. Exports made before that contain the original hashes and
// so reveal it.
package audit
