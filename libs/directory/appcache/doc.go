// Package appcache keeps applications in memory, so that a request that needs no
// other row needs no database. What an operator changes is seen after Options.TTL
// at the latest, or at once where Invalidate is called. While the database is
// away, an application that was known serves on for Options.Stale (a minute):
// then its look-up fails, for a disabled one must not live on unseen.
package appcache
