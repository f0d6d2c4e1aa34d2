// Package sqlstore keeps the directory in the database: Applications for the
// services that serve them, People for signing in, Operator for the operator's
// commands, each no wider than its database role.
package sqlstore
