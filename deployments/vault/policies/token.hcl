# The token service signs access tokens and ID tokens with the platform's four keys.
# It can neither make keys nor read, change or export them: the public halves are
# in the database.
#
# `transit` is the mount (PLATFORM_VAULT_TRANSIT_MOUNT) and `platform` the prefix
# (PLATFORM_VAULT_KEY_PREFIX): setup.sh puts yours in their places.

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

# What the policy named default would give, less all the rest of it. A token
# without that policy is checked three times faster.
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
