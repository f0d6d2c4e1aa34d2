// Package directory holds the plain types of who may sign in and where:
// tenants, people, memberships and applications. The rules that need nothing but
// these types stand here; reading and writing them is sqlstore's.
package directory
