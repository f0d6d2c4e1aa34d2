// Package signingtest is the contract of signing.Backend and signing.Maker as a
// test suite, which every backend runs, and a schedule in memory for tests of
// what uses a Ring. It checks signatures with the standard library alone.
package signingtest
