// Package changes tells a process what others changed in the database of what it
// keeps in memory: applications and signing keys.
//
// Writers announce nothing themselves: triggers note each changed key in the same
// transaction and, on PostgreSQL, send a notification with it. A [Watcher] listens
// for notifications, which is prompt, and asks every few seconds which keys were
// changed since it last asked, which is certain: a listener behind a transaction
// pooler, on a connection that has died, or between two connections, hears nothing
// and no error either. A notification never stands in for an answer: it says nothing
// of the changes that were not heard. What was told is never older than [Bound];
// [Watcher.Told] reports whether that holds.
//
// It is no queue: a change is told at least once, usually twice, not what it was,
// and of several in a row perhaps only the last.
package changes
