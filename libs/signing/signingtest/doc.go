// Package signingtest provides the contract of signing.Backend and signing.Maker as a test
// suite, which every backend runs, and an in-memory schedule for tests of code that uses a
// Ring. It checks signatures with the standard library alone.
package signingtest
