// Package password hashes and checks passwords: argon2id (RFC 9106) in PHC
// strings, never more at once than there are slots, with a short bounded queue
// before them, because every hash takes megabytes. A password is a string of
// bytes: it is not normalised, so that what people typed yesterday compares
// equal tomorrow whatever Unicode version we link.
package password
