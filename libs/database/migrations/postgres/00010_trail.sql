-- The audit trail in monthly partitions, with chains and seals that reveal
-- tampering. A replica of the previous version still adds rows, which have no
-- chain. Nothing here blocks that replica for longer than a moment, however long
-- its trail is. Each step can be repeated, since the file does not run in a
-- transaction.

-- +goose NO TRANSACTION
-- +goose Up

-- account: the keyed pseudonym of an address that was entered, when no person has
-- been authenticated.
-- chain, seq, prev_hash, hash: see libs/audit.
ALTER TABLE audit_events
    ADD COLUMN IF NOT EXISTS account   text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS chain     text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS seq       bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS prev_hash bytea,
    ADD COLUMN IF NOT EXISTS hash      bytea;

DROP INDEX IF EXISTS audit_events_account;
CREATE INDEX CONCURRENTLY audit_events_account ON audit_events (account, at) WHERE account <> '';
DROP INDEX IF EXISTS audit_events_chain;
CREATE INDEX CONCURRENTLY audit_events_chain ON audit_events (chain, seq) WHERE chain <> '';

-- The month that will be the last of the existing rows: this month, or the next
-- one if this one is about to end. The constraint saves a scan of all rows when
-- the table becomes a partition.
-- +goose StatementBegin
DO $$
BEGIN
    ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_before_range;
    EXECUTE format('ALTER TABLE audit_events ADD CONSTRAINT audit_events_before_range CHECK (at < %L) NOT VALID',
        (date_trunc('month', (now() + interval '2 days') AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
END
$$;
-- +goose StatementEnd
ALTER TABLE audit_events VALIDATE CONSTRAINT audit_events_before_range;

-- One statement, so that it is atomic.
-- +goose StatementBegin
DO $$
DECLARE
    bound timestamptz := (date_trunc('month', (now() + interval '2 days') AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    name  text;
BEGIN
    ALTER TABLE audit_events RENAME TO audit_events_before;
    FOREACH name IN ARRAY ARRAY['at', 'user', 'client', 'reference', 'account', 'chain'] LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', 'audit_events_' || name, 'audit_events_before_' || name);
    END LOOP;
    ALTER TABLE audit_events_before RENAME CONSTRAINT audit_events_pkey TO audit_events_before_pkey;

    CREATE TABLE audit_events (LIKE audit_events_before INCLUDING DEFAULTS) PARTITION BY RANGE (at);
    CREATE INDEX audit_events_at ON audit_events (at);
    CREATE INDEX audit_events_user ON audit_events (user_id, at);
    CREATE INDEX audit_events_client ON audit_events (client_id, at);
    CREATE INDEX audit_events_reference ON audit_events (reference);
    CREATE INDEX audit_events_account ON audit_events (account, at) WHERE account <> '';
    CREATE INDEX audit_events_chain ON audit_events (chain, seq) WHERE chain <> '';

    EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION audit_events_before FOR VALUES FROM (MINVALUE) TO (%L)', bound);
    ALTER TABLE audit_events_before DROP CONSTRAINT audit_events_before_range;
    -- What has no month, because the months were not made in time, is kept all the same.
    CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;
    ALTER TABLE audit_events_default ADD PRIMARY KEY (id);
END
$$;
-- +goose StatementEnd

-- audit_months returns the partitions and their bounds. Like all functions below
-- it runs as the owner, because services may neither see nor change the
-- partitions.
-- +goose StatementBegin
CREATE FUNCTION audit_months(OUT part text, OUT lower timestamptz, OUT upper timestamptz, OUT estimate bigint)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET timezone = 'UTC' SET datestyle = 'ISO, MDY' AS $$
    SELECT c.relname::text,
           substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz,
           substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz,
           greatest(c.reltuples, 1)::bigint
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'audit_events'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
$$;
-- +goose StatementEnd

-- keep_audit_months creates the partitions for this month and the given number of
-- months after it, and returns how many it created. Rows that arrived before their
-- partition existed are moved into it.
-- +goose StatementBegin
CREATE FUNCTION keep_audit_months(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    first timestamptz;
    next  timestamptz;
    name  text;
    made  integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(x'706c617461756474'::bigint); -- "plataudt"
    FOR i IN 0..least(greatest(ahead, 0), 12) LOOP
        first := date_trunc('month', now()) + make_interval(months => i);
        next  := first + interval '1 month';
        name  := 'audit_events_' || to_char(first, 'YYYY_MM');
        CONTINUE WHEN EXISTS (SELECT FROM audit_months() m WHERE m.upper > first AND (m.lower IS NULL OR m.lower <= first));
        EXECUTE format('CREATE TABLE %I (LIKE audit_events INCLUDING DEFAULTS, PRIMARY KEY (id))', name);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', name);
        LOCK TABLE audit_events_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('WITH moved AS (DELETE FROM audit_events_default WHERE at >= $1 AND at < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved', name)
            USING first, next;
        EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, next);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd

-- drop_audit_events removes rows older than the given time, but never rows younger
-- than thirty days, whatever the caller asks for. It removes whole partitions if
-- it can, or else at most the given number of rows. It returns how many rows it
-- removed; for partitions the number is an estimate.
-- +goose StatementBegin
CREATE FUNCTION drop_audit_events(before timestamptz, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    bound   timestamptz := least(before, now() - interval '30 days');
    old     record;
    removed bigint := 0;
    rows    bigint;
BEGIN
    FOR old IN SELECT part, estimate FROM audit_months() WHERE upper <= bound LOOP
        EXECUTE format('DROP TABLE %I', old.part);
        removed := removed + old.estimate;
    END LOOP;
    IF removed = 0 THEN
        DELETE FROM audit_events e
         USING (SELECT id, at FROM audit_events WHERE at < bound ORDER BY at LIMIT most) d
         WHERE e.id = d.id AND e.at = d.at AND e.at < bound;
        GET DIAGNOSTICS rows = ROW_COUNT;
        removed := rows;
    END IF;
    RETURN removed;
END
$$;
-- +goose StatementEnd

-- The functions use this schema, not the caller's; pg_catalog implicitly precedes
-- it.
-- +goose StatementBegin
DO $$
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY ARRAY['audit_months()', 'keep_audit_months(integer)', 'drop_audit_events(timestamptz, integer)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', signature, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    END LOOP;
END
$$;
-- +goose StatementEnd
SELECT keep_audit_months(2);

-- The contents of a day of the trail when it was sealed: a row for each chain, a
-- row without a chain for each service whose version had no chains, and a row with
-- neither for the whole day, whose hash covers those of the others and of the day
-- before.
CREATE TABLE audit_seals (
    day       text COLLATE "C" NOT NULL, -- 2006-01-02, UTC
    service   text NOT NULL,
    chain     text COLLATE "C" NOT NULL,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL,
    events    bigint NOT NULL,
    hash      bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (day, service, chain)
);
