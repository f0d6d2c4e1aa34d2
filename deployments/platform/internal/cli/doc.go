// Package cli is the command line of the platform binary: flags and arguments
// in, a few lines or JSON out, exit code 0 (done), 1 (failed) or 2 (wrong
// usage or configuration).
package cli
