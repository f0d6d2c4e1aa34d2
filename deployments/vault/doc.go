// Package vault prepares a Vault or OpenBao for the platform. It has a policy for each
// service that signs or makes keys, and the script that sets up the policies, the transit
// engine and the roles. The Go code is only tests, which try every policy against a real
// server. Package libs/signing/vaulttransit is the platform's client of Vault.
package vault
