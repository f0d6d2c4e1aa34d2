-- What processes keep in memory is announced when it changes: a version a topic,
-- for who looks, and a notification, for who listens. Triggers do it, so that
-- older versions and a hand at psql announce too.

-- +goose Up
CREATE TABLE change_versions (
    topic   text PRIMARY KEY,
    -- Another number after every transaction that changed something, in no order.
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO change_versions (topic) VALUES ('applications'), ('signing_keys'), ('key_orders');

-- The first argument is the topic, the second the column that holds the key. It
-- runs as the owner: nobody else may write versions.
-- +goose StatementBegin
CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current bigint := pg_current_xact_id()::text::bigint;
    keys    text[];
    key     text;
BEGIN
    CASE TG_OP
        WHEN 'INSERT' THEN keys := ARRAY[to_jsonb(NEW) ->> TG_ARGV[1]];
        WHEN 'DELETE' THEN keys := ARRAY[to_jsonb(OLD) ->> TG_ARGV[1]];
        WHEN 'UPDATE' THEN
            IF NEW IS NOT DISTINCT FROM OLD THEN
                RETURN NULL;
            END IF;
            keys := ARRAY[to_jsonb(NEW) ->> TG_ARGV[1], to_jsonb(OLD) ->> TG_ARGV[1]];
        ELSE keys := ARRAY['']; -- TRUNCATE: all of them
    END CASE;
    -- Once a transaction, however many rows it writes.
    EXECUTE format('UPDATE %I.change_versions SET version = $1 WHERE topic = $2 AND version <> $1', TG_TABLE_SCHEMA)
        USING current, TG_ARGV[0];
    FOREACH key IN ARRAY keys LOOP
        -- A notification holds 8000 bytes; the same one twice is sent once.
        PERFORM pg_notify('platform_changes', TG_ARGV[0] || ' ' || current || ' ' || CASE WHEN octet_length(key) < 1000 THEN key ELSE '' END);
    END LOOP;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION announce_change() FROM PUBLIC;

CREATE TRIGGER applications_changed AFTER INSERT OR UPDATE OR DELETE ON applications
    FOR EACH ROW EXECUTE FUNCTION announce_change('applications', 'client_id');
CREATE TRIGGER applications_emptied AFTER TRUNCATE ON applications
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change('applications', 'client_id');
-- A secret is a part of its application.
CREATE TRIGGER application_secrets_changed AFTER INSERT OR UPDATE OR DELETE ON application_secrets
    FOR EACH ROW EXECUTE FUNCTION announce_change('applications', 'client_id');
CREATE TRIGGER application_secrets_emptied AFTER TRUNCATE ON application_secrets
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change('applications', 'client_id');
CREATE TRIGGER signing_keys_changed AFTER INSERT OR UPDATE OR DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION announce_change('signing_keys', 'kid');
CREATE TRIGGER signing_keys_emptied AFTER TRUNCATE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change('signing_keys', 'kid');
-- What is taken away was carried out: nobody need know.
CREATE TRIGGER key_orders_changed AFTER INSERT OR UPDATE ON key_orders
    FOR EACH ROW EXECUTE FUNCTION announce_change('key_orders', 'algorithm');

-- What was given up is removed by this.
CREATE INDEX logout_outbox_given_up ON logout_outbox (gave_up_at) WHERE gave_up_at IS NOT NULL;
