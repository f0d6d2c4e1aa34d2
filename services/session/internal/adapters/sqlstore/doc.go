// Package sqlstore writes sessions and consents, which the session service alone
// does, and removes sessions long past. Reading them is libs/sessions/sqlstore's.
package sqlstore
