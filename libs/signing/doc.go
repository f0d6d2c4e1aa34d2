// Package signing makes and checks JSON Web Signatures (RFC 7515) with keys that
// somebody else keeps: Vault transit (vaulttransit) or files (localkeys), behind
// one port. Which key signs when is a schedule in the table signing_keys, the
// same for every replica: Ring reads it, signs with the active key and verifies
// with every key that is not yet retired.
package signing
