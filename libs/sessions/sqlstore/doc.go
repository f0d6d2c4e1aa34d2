// Package sqlstore reads single sign-on sessions and remembered consent for the services that
// act on them. Only two functions write: Touch, and End, which the session service and the
// operator share. All other writes to sessions belong to the session service.
package sqlstore
