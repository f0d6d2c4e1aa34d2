-- The audit trail with chains and seals that reveal tampering. A version that does
-- not know these columns still adds rows, which have no chain.

-- +goose Up
-- account: the keyed pseudonym of an address that was entered, when no person has
-- been authenticated.
-- chain, seq, prev_hash, hash: see libs/audit.
ALTER TABLE audit_events ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN chain text NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN seq integer NOT NULL DEFAULT 0;
ALTER TABLE audit_events ADD COLUMN prev_hash blob;
ALTER TABLE audit_events ADD COLUMN hash blob;
CREATE INDEX audit_events_account ON audit_events (account, at) WHERE account <> '';
CREATE INDEX audit_events_chain ON audit_events (chain, seq) WHERE chain <> '';

-- The contents of a day of the trail when it was sealed: a row for each chain, a
-- row without a chain for each service whose version had no chains, and a row with
-- neither for the whole day, whose hash covers those of the others and of the day
-- before.
CREATE TABLE audit_seals (
    day       text NOT NULL, -- 2006-01-02, UTC
    service   text NOT NULL,
    chain     text NOT NULL,
    first_seq integer NOT NULL,
    last_seq  integer NOT NULL,
    events    integer NOT NULL,
    hash      blob NOT NULL,
    sealed_at timestamp NOT NULL,
    PRIMARY KEY (day, service, chain)
);
