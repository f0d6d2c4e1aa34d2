-- +goose Up
-- What a count is about, so that an operator can have all counts of an account
-- forgotten: a keyed hash, NULL where it is about nothing or an older version
-- counted.
ALTER TABLE limits ADD COLUMN subject blob;
CREATE INDEX limits_subject ON limits (subject) WHERE subject IS NOT NULL;

-- Which costs the stored password hashes have is found by stepping from class to
-- class: an argon2id string begins with its cost.
CREATE INDEX credentials_cost ON credentials (password_hash);

-- The network (an IPv6 /48, an IPv4 /24) that a device asked from, so that one
-- network's codes do not count against others. Empty where an older version
-- stored the code.
ALTER TABLE device_codes ADD COLUMN network text NOT NULL DEFAULT '';
CREATE INDEX device_codes_waiting ON device_codes (client_id, network, created_at)
    WHERE decision = '' AND consumed_at IS NULL;

-- The notices of one application, so that they are taken and postponed apart from
-- those of others.
CREATE INDEX logout_outbox_application ON logout_outbox (client_id, next_attempt_at) WHERE gave_up_at IS NULL;
