// Package vaulttransit keeps signing keys in the transit engine of HashiCorp Vault or OpenBao.
// There is one transit key per algorithm (for example PREFIX-es256), and its versions are the
// generations of the schedule. Private keys never leave the engine; public keys and kids come
// from the schedule, so signing doesn't have to read any keys.
//
// While a slot is free, a signature is requested at once. Requests that arrive while all slots
// are busy wait, without a timer, and travel together as the batch_input of the next request; a
// batch costs the server a fraction of what single requests do (see BenchmarkSign). The queue
// is bounded, and a circuit breaker refuses at once while Vault is down. Both errors say that
// retrying later may help.
//
// The API paths used, and the capabilities that a policy must grant, with the default mount and
// prefix:
//
//	transit/sign/platform-*        update                every service that signs
//	transit/keys/platform-*        create, update, read  keys
//	transit/keys/platform-*/rotate update                keys
//	auth/token/lookup-self         read                  all: readiness
//	auth/token/renew-self          update                all: renewal
//
// One signature of each request is verified with the schedule's public key: a key that was
// deleted and created again has the name and version of the old one, and must not sign under
// its kid.
//
// The package never deletes, exports or configures anything, so no policy needs more. A role
// should set token_no_default_policy: the default policy triples what a request costs the
// server.
//
// This package does not know which key signs when (see package signing). Package login does the
// logging in.
package vaulttransit
