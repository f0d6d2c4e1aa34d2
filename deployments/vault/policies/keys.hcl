# The keys service makes the platform's signing keys, four for tokens and four for
# logout tokens, and their versions, and reads the public halves. It signs nothing,
# exports nothing, deletes nothing, and a key it makes is of the one type that its
# algorithm needs.
#
# `transit` is the mount (PLATFORM_VAULT_TRANSIT_MOUNT) and `platform` the prefix
# (PLATFORM_VAULT_KEY_PREFIX): setup.sh puts yours in their places.

path "transit/keys/platform-rs256" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["rsa-2048"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-rs256/rotate" {
  capabilities = ["update"]
}

path "transit/keys/platform-ps256" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["rsa-2048"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-ps256/rotate" {
  capabilities = ["update"]
}

path "transit/keys/platform-es256" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["ecdsa-p256"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-es256/rotate" {
  capabilities = ["update"]
}

path "transit/keys/platform-eddsa" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["ed25519"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-eddsa/rotate" {
  capabilities = ["update"]
}

# The keys of logout tokens are others, for another service signs with them.

path "transit/keys/platform-logout-rs256" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["rsa-2048"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-logout-rs256/rotate" {
  capabilities = ["update"]
}

path "transit/keys/platform-logout-ps256" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["rsa-2048"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-logout-ps256/rotate" {
  capabilities = ["update"]
}

path "transit/keys/platform-logout-es256" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["ecdsa-p256"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-logout-es256/rotate" {
  capabilities = ["update"]
}

path "transit/keys/platform-logout-eddsa" {
  capabilities = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["ed25519"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

path "transit/keys/platform-logout-eddsa/rotate" {
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
