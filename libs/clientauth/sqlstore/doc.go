// Package sqlstore remembers used client assertions in the table used_assertions:
// an assertion is good once, whichever replica sees it (RFC 7523 3).
package sqlstore
