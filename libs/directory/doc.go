// Package directory holds the plain types for people and where they may sign in: tenants,
// people, memberships and applications. It also holds the rules that need only these types;
// sqlstore reads and writes them.
package directory
