// Package demo is what `platform up --demo` adds: a demo set of people and
// applications with credentials of its own, and a small relying party at /demo
// that signs in through the platform like any other application would, over HTTP,
// and shows what it was given. It is no part of the product's contract and never
// runs on a public address.
package demo
