// Package limits says how often somebody may guess, and gives what is counted a
// key that tells nothing. The counting itself is limits/sqlstore's: one row a
// key, shared by all replicas.
//
// A use case asks whether its keys are blocked before it compares anything,
// counts each failure, and forgets the count where a success proves that the
// guessing was the owner's (a password); where it proves nothing (a user code)
// it does not. It knows neither HTTP nor storage: [Error] tells the edge to
// answer 429 with Retry-After.
package limits
