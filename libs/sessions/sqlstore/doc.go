// Package sqlstore reads single sign-on sessions and remembered consent for the
// services that act on them. Only Touch writes; everything else that happens to
// a session is the session service's.
package sqlstore
