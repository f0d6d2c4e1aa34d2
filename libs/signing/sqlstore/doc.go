// Package sqlstore reads and writes the schedule of the signing keys, which is the table
// signing_keys. Every service reads it; only the keys service may write it. It holds public
// keys only, never private ones.
package sqlstore
