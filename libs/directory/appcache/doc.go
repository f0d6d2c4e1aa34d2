// Package appcache keeps applications in memory, so that a request that needs no other row
// needs no database.
//
// An operator's change takes effect at once if Options.Changes reports it, and otherwise after
// Options.TTL. Entries live longer while changes are being reported (Options.ToldTTL). Once the
// reports stop, an entry older than TTL is served for at most [changes.Bound] more, which isn't
// longer than the default TTL. While the database is down, a known application is served for
// another Options.Stale (a minute). After that its look-up fails, because a disabled
// application must not stay usable unnoticed.
package appcache
