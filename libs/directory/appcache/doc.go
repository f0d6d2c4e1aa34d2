// Package appcache keeps applications in memory, so that a request that needs no other row
// needs no database.
//
// An operator's change takes effect at once if Options.Changes reports it, and otherwise after
// Options.TTL. Entries live longer while changes are being reported (Options.ToldTTL). When
// they no longer are, an entry older than TTL is served for at most [changes.Bound], which is
// no longer. While the database is down, a known application is served for Options.Stale (a
// minute) more. After that its look-up fails, because a disabled application must not stay
// usable unnoticed.
package appcache
