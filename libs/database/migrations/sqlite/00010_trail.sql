-- The audit trail, which chains and seals make evident. A version that does not know
-- these columns goes on adding rows, which have no chain.

-- +goose Up
-- account: the keyed pseudonym of an address that was typed and is no person's yet.
-- chain, seq, prev_hash, hash: see libs/audit.
ALTER TABLE audit_events ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN chain text NOT NULL DEFAULT '';
ALTER TABLE audit_events ADD COLUMN seq integer NOT NULL DEFAULT 0;
ALTER TABLE audit_events ADD COLUMN prev_hash blob;
ALTER TABLE audit_events ADD COLUMN hash blob;
CREATE INDEX audit_events_account ON audit_events (account, at) WHERE account <> '';
CREATE INDEX audit_events_chain ON audit_events (chain, seq) WHERE chain <> '';

-- What a day of the trail held when it was over: a row for each chain, one without
-- a chain for each service whose version knew none, and one without either for all
-- of the day, whose hash is that of the others and of the day before.
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
