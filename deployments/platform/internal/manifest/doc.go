// Package manifest is the declarative file: what tenants, users and applications
// there should be. It reads the file strictly, says everything that is wrong
// with it at once (file, line, reason), compares it with the database and makes
// the difference true in one transaction. It applies nothing when anything is
// wrong.
package manifest
