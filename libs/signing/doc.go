// Package signing makes and verifies JSON Web Signatures (RFC 7515). The private keys are kept
// in Vault transit (vaulttransit) or in files (localkeys), behind one port. The table
// signing_keys holds the schedule of which key signs when, the same for every replica. Ring
// reads it, signs with the active key and verifies with every key that isn't yet retired. It
// remembers the tokens that it has verified until they expire.
package signing
