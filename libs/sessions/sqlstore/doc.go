// Package sqlstore reads single sign-on sessions and remembered consent for the
// services that act on them. Two things write: Touch, and End, which the session
// service and the operator share. Everything else that happens to a session is
// the session service's.
package sqlstore
