// Package grants holds the plain types that pass between the services: the flow of a
// browser through the sign-in pages, the code issued for it, and the grant that the code becomes. The operations on them
// are SQL in sqlstore, which has one store per service role.
package grants
