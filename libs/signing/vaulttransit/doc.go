// Package vaulttransit keeps signing keys in the transit engine of HashiCorp Vault
// or OpenBao: one transit key an algorithm, PREFIX-es256 for one, whose versions
// are the generations of the schedule. Private keys never leave it; public keys
// and kids come from the schedule, so that signing reads nothing.
//
// A signature goes out at once while a slot is free. What arrives while all slots
// are busy waits, without a timer, and travels together in the next request as its
// batch_input: a batch costs the server a fraction of single requests (see
// BenchmarkSign). The queue is bounded, a circuit breaker refuses at once while
// Vault is away, and both errors say that waiting helps.
//
// The API paths and the capabilities that a policy must grant, with the default
// mount and prefix:
//
//	transit/sign/platform-*        update                every service that signs
//	transit/keys/platform-*        create, update, read  keys
//	transit/keys/platform-*/rotate update                keys
//	auth/token/lookup-self         read                  all: readiness
//	auth/token/renew-self          update                all: renewal
//
// One signature of each request is verified with the schedule's public key: a key
// that was deleted and made again has the name and version of the one that is gone,
// and must not sign under its kid.
//
// Nothing is ever deleted, exported or configured, so no policy needs more. A role
// should set token_no_default_policy: the default policy triples what a request
// costs the server.
//
// This package does not know which key signs when (package signing does), and
// logging in is package login's.
package vaulttransit
