// Package sqlstore counts failures in the table limits, so that all replicas, and all services
// that guard the same thing, share one count.
package sqlstore
