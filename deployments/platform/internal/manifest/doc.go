// Package manifest is the declarative file: what tenants, users and applications
// there should be. It reads the file strictly and tells everything that is wrong
// with it at once (file, line, reason), compares it with the database, and makes the
// difference true in short transactions. It applies nothing when anything is wrong,
// holds up no sign-in, and undoes nothing that a command has changed since the last
// time. It decodes people one by one, so that their number is not bound by memory.
package manifest
