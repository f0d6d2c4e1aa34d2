// Package password hashes and checks passwords: argon2id (RFC 9106) in PHC
// strings. Every hash takes megabytes, so that there are only so many slots, which
// callers share by network (package limits/fair), with a short bounded queue
// before them.
//
// Stored hashes may differ in cost: they were imported, or the default has changed
// since. Each check computes one hash of every cost there is, so that its time
// tells nothing about the account. Hashes of another cost than the default are
// replaced when their people sign in, and once the last one is gone its cost is no
// longer paid.
//
// A password is a string of bytes: it is not normalised, so that what people typed
// yesterday compares equal tomorrow whatever Unicode version we link.
package password
