// Package grants holds the plain types that pass between the services: the
// authorization request, the code it ends in, and the grant that a code becomes.
// What happens to them is SQL in sqlstore, one store per service role.
package grants
