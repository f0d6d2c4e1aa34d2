// Package password hashes and checks passwords with argon2id (RFC 9106), stored as PHC strings.
// Every hash takes megabytes of memory, so the number of slots is limited. Callers share the
// slots by network (package limits/fair), with a short bounded queue.
//
// Stored hashes may differ in cost, because they were imported or the default has changed
// since. Each check computes one hash of every cost in use, so that its duration reveals
// nothing about the account. A hash whose cost isn't the default is replaced when its person
// signs in, and once the last hash of a cost is gone, checks no longer pay for it.
//
// A password is hashed in Unicode Normalization Form C (RFC 8265 4.2), so that keyboards that
// compose letters differently type the same one. The typed form is tried too, for hashes that
// were made or imported without it.
package password
