# The keys service makes the platform's signing keys and their versions, four keys for
# tokens and four for logout tokens, and reads the public halves. It can't sign, export
# or delete, and it can make each key only with the type that its algorithm needs.
#
# `transit` is the mount (PLATFORM_VAULT_TRANSIT_MOUNT) and `platform` the prefix
# (PLATFORM_VAULT_KEY_PREFIX); setup.sh replaces them with yours.

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

# Logout tokens have keys of their own, because another service signs with them.

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
