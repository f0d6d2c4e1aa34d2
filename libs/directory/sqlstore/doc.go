// Package sqlstore keeps the directory in the database. Applications is for the services that
// serve them, People for signing in, and Operator for the operator's commands; none can do more
// than its database role allows.
package sqlstore
