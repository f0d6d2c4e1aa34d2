// Package vault is how a Vault or OpenBao is prepared for the platform: a policy
// for each service that signs or makes keys, and the script that puts them, the
// transit engine and the roles in place. The Go code is the tests only, which try
// every policy against a real server. How the platform speaks to Vault is
// libs/signing/vaulttransit.
package vault
