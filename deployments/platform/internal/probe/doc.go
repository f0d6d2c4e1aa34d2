// Package probe makes the requests of an application against a running platform: it reads
// the endpoints from discovery, reads the keys, requests a token and verifies the token
// with those keys. It connects like a client, through the ingress and its certificate, and
// needs neither the database nor Vault. It is for the first minute after a deployment; it
// isn't monitoring, because it doesn't sign a person in.
package probe
