// Package appcache keeps applications in memory, so that a request that needs no
// other row needs no database. What an operator changes is seen at once where
// Options.Changes tells of it, which makes an entry live longer too, and otherwise
// after Options.TTL. Where nobody can tell any more, an entry that is older than
// that serves for [changes.Bound] at most, which is no longer. While the database is
// away, an application that was known serves on for Options.Stale (a minute):
// then its look-up fails, for a disabled one must not live on unseen.
package appcache
