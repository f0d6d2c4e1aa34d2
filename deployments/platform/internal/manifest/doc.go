// Package manifest reads and applies the declarative file, which lists the tenants, users
// and applications that should exist. It reads the file strictly and reports every problem
// at once (file, line, reason). It compares the file with the database and writes the
// differences in short transactions. If anything is wrong, it applies nothing. It doesn't
// block sign-ins, and doesn't undo anything that a command has changed since the last
// apply. It decodes people one by one, so that memory doesn't limit their number.
package manifest
