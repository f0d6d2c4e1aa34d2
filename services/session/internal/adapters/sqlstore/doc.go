// Package sqlstore writes sessions, consents and the outbox of logouts, which the
// session service alone does, and removes sessions long past. Reading them, and
// how a session ends, is libs/sessions/sqlstore's.
package sqlstore
