# The session service signs logout tokens with four keys that are used for nothing
# else, so it can make neither an access token nor an ID token. It can't make, read,
# change or export keys; it reads the public halves from the database.
#
# `transit` is the mount (PLATFORM_VAULT_TRANSIT_MOUNT) and `platform` the prefix
# (PLATFORM_VAULT_KEY_PREFIX); setup.sh replaces them with yours.

path "transit/sign/platform-logout-rs256" {
  capabilities = ["update"]
}

path "transit/sign/platform-logout-ps256" {
  capabilities = ["update"]
}

path "transit/sign/platform-logout-es256" {
  capabilities = ["update"]
}

path "transit/sign/platform-logout-eddsa" {
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
