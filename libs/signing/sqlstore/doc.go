// Package sqlstore reads and writes the schedule of the signing keys, the table
// signing_keys. Every service reads it; only the keys service may write. Private
// keys are not here, only public ones.
package sqlstore
