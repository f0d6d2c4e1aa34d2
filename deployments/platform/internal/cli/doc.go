// Package cli is the command line of the platform binary. It parses flags and arguments,
// prints a few lines or JSON, and exits with 0 (done), 1 (failed), 2 (wrong usage or
// configuration) or 3 (apply found conflicts).
package cli
