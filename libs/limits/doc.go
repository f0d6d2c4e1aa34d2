// Package limits defines how often a caller may guess, and derives keys for the counts that
// reveal nothing about what is counted. The counting itself is done by limits/sqlstore, which
// keeps one row per key, shared by all replicas.
//
// A use case takes an attempt from all of its keys before it judges the attempt, so that
// concurrent attempts can't exceed a budget together, and gives the attempt back if it wasn't a
// failure. If a success proves that the guesses came from the owner (a password), the use case
// resets the count; if it proves nothing (a user code), it doesn't. The package knows neither
// HTTP nor storage; [Error] tells the edge to answer 429 with Retry-After.
//
// Resources shared by untrusted callers are counted, and handed out (package limits/fair), at
// every prefix of a caller's network: a party with an IPv6 /48 counts as one party.
package limits
