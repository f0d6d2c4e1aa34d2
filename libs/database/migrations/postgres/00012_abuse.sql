-- +goose Up
-- What a count is about, so that an operator can reset all counts of an account: a
-- keyed hash, or NULL if it is about nothing in particular or was written by an
-- older version.
ALTER TABLE limits ADD COLUMN subject bytea;
CREATE INDEX limits_subject ON limits (subject) WHERE subject IS NOT NULL;

-- The costs of the stored password hashes are found by stepping through this index
-- from one cost to the next, since an argon2id string begins with its cost.
CREATE INDEX credentials_cost ON credentials (password_hash COLLATE "C");

-- The network (an IPv6 /48, an IPv4 /24) of the device's request, so that one
-- network's codes do not count against others. It is empty if an older version
-- stored the code.
ALTER TABLE device_codes ADD COLUMN network text NOT NULL DEFAULT '';
CREATE INDEX device_codes_waiting ON device_codes (client_id, network, created_at)
    WHERE decision = '' AND consumed_at IS NULL;

-- The notices of one application, so that they are taken and postponed separately
-- from those of others.
CREATE INDEX logout_outbox_application ON logout_outbox (client_id, next_attempt_at) WHERE gave_up_at IS NULL;
