# The token service signs access tokens and ID tokens with the platform's four keys.
# It can't make, read, change or export keys; it reads the public halves from the
# database.
#
# `transit` is the mount (PLATFORM_VAULT_TRANSIT_MOUNT) and `platform` the prefix
# (PLATFORM_VAULT_KEY_PREFIX); setup.sh replaces them with yours.

path "transit/sign/platform-rs256" {
  capabilities = ["update"]
}

path "transit/sign/platform-ps256" {
  capabilities = ["update"]
}

path "transit/sign/platform-es256" {
  capabilities = ["update"]
}

path "transit/sign/platform-eddsa" {
  capabilities = ["update"]
}

# The few rights of the policy named default that the service needs. Vault checks a
# token without that policy three times faster.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

# `platform doctor` asks what the token may do.
path "sys/capabilities-self" {
  capabilities = ["update"]
}
