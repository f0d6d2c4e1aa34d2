// Package sqlstore writes the audit trail, which every service may, and reads it,
// which only the operator may.
package sqlstore
