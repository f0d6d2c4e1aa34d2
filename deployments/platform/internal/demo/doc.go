// Package demo implements `platform up --demo`: a demo set of people and applications with
// credentials of its own, and a small relying party at /demo that signs in through the
// platform over HTTP, as any other application would, and shows the tokens that it
// received. It isn't part of the product's contract and never runs on a public address.
package demo
