// Package limits says how often a caller may guess, and gives what is counted a key
// that tells nothing. The counting itself is limits/sqlstore's: one row a key,
// shared by all replicas.
//
// A use case takes an attempt from all of its keys before it judges it, so that
// attempts at the same time do not pass a budget together, and gives it back where
// it was no failure. It forgets the count where a success proves that the guessing
// was the owner's (a password); where it proves nothing (a user code) it does not.
// It knows neither HTTP nor storage: [Error] tells the edge to answer 429 with
// Retry-After.
//
// What strangers share is counted, and handed out (package limits/fair), at every
// prefix of their network: a party with a /48 of IPv6 is one party.
package limits
