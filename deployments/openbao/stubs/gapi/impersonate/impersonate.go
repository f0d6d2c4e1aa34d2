// Package impersonate is empty: the JWT login that needs it is not built.
package impersonate
