// Package changes tells a process what others changed in the database of what it
// keeps in memory: applications and signing keys.
//
// Whoever writes announces nothing by themselves: triggers give each topic a new
// version in the same transaction and, on PostgreSQL, send a notification with the
// key. A [Watcher] listens for those, which is prompt, and looks at the versions
// every few seconds, which is certain: a listener behind a transaction pooler, or
// on a connection that has died, hears nothing and no error either. What was told
// is never older than [Bound]; who asks [Watcher.Told] knows whether that holds.
//
// It is no queue: a change is told at least once, not what it was, and of several
// in a row perhaps only the last.
package changes
