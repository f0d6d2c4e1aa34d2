// Package sqlstore writes the audit trail, which every service may do, and reads it, which only
// the operator may do.
package sqlstore
