// Package sqlstore remembers used client assertions in the table used_assertions, so that an
// assertion is accepted only once, whichever replica receives it (RFC 7523 3).
package sqlstore
