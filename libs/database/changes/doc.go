// Package changes tells a process when other processes change database rows that it caches in
// memory: applications and signing keys.
//
// Writers don't announce changes themselves. Triggers record each changed key in the same
// transaction and, on PostgreSQL, send a notification with it. A [Watcher] listens for
// notifications, which is prompt, and also polls every few seconds for the keys changed since
// its last poll, which is reliable: a listener behind a transaction pooler, on a dead
// connection, or between two connections hears nothing and gets no error. A notification never
// replaces a poll, since it says nothing about changes whose notifications were lost. What the
// Watcher has reported is never older than [Bound]; [Watcher.Told] reports whether that holds.
//
// It isn't a queue: a change is reported at least once and usually twice, without its contents,
// and of several changes in a row perhaps only the last is reported.
package changes
