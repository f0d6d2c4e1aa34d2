// Package admin is empty: the JWT login that reads Google groups is not built.
package admin
