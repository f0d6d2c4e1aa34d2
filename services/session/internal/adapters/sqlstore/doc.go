// Package sqlstore writes sessions, consents and the outbox of logout notices, and removes
// sessions that ended long ago. Only the session service writes these rows. Package
// libs/sessions/sqlstore reads sessions and knows how a session ends.
package sqlstore
