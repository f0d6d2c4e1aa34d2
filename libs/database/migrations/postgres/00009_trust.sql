-- Less trust in a single row. Changes are recorded by key, so that the next poll
-- finds a change announced while no process was listening. The approval of a
-- device names the session that gave it. End times are final.

-- +goose Up

-- The transaction that last changed each key of a topic. A poll asks for the keys
-- changed by transactions that the previous poll could not see. A row stays when
-- its application or key is deleted, since that is a change too.
CREATE TABLE change_keys (
    topic   text NOT NULL,
    key     text NOT NULL, -- empty: any key of the topic
    version xid8 NOT NULL,
    PRIMARY KEY (topic, key)
);
CREATE INDEX change_keys_version ON change_keys (version);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current xid8 := pg_current_xact_id();
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
    -- Once a transaction, however many rows it writes. Two transactions that change
    -- keys of one topic wait for each other here, before either writes its keys.
    EXECUTE format('UPDATE %I.change_versions SET version = $1 WHERE topic = $2 AND version <> $1', TG_TABLE_SCHEMA)
        USING current::text::bigint, TG_ARGV[0];
    FOREACH key IN ARRAY keys LOOP
        -- A notification holds 8000 bytes; the same one twice is sent once.
        IF octet_length(key) >= 1000 THEN
            key := '';
        END IF;
        EXECUTE format('INSERT INTO %I.change_keys (topic, key, version) VALUES ($1, $2, $3)
                        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version WHERE change_keys.version <> excluded.version', TG_TABLE_SCHEMA)
            USING TG_ARGV[0], key, current;
        PERFORM pg_notify('platform_changes', TG_ARGV[0] || ' ' || current::text || ' ' || key);
    END LOOP;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- The session in which a person approved a device; redemption checks it. An
-- approval written meanwhile by a replica of the previous version has none and is
-- not redeemed; the device has to start again.
ALTER TABLE device_codes ADD COLUMN session_id text NOT NULL DEFAULT '';

-- An end time can't be removed or changed by any role: services and operators may
-- write these columns, but only once.
-- +goose StatementBegin
CREATE FUNCTION refuse_revival() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % is set once and never changes', TG_ARGV[0], TG_TABLE_NAME;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER grants_stay_revoked BEFORE UPDATE OF revoked_at ON grants FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) EXECUTE FUNCTION refuse_revival('revoked_at');
CREATE TRIGGER sessions_stay_ended BEFORE UPDATE OF ended_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at) EXECUTE FUNCTION refuse_revival('ended_at');
CREATE TRIGGER signing_keys_stay_revoked BEFORE UPDATE OF revoked_at ON signing_keys FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) EXECUTE FUNCTION refuse_revival('revoked_at');
CREATE TRIGGER refresh_tokens_stay_rotated BEFORE UPDATE OF rotated_at ON refresh_tokens FOR EACH ROW
    WHEN (OLD.rotated_at IS NOT NULL AND NEW.rotated_at IS DISTINCT FROM OLD.rotated_at) EXECUTE FUNCTION refuse_revival('rotated_at');
CREATE TRIGGER authorization_codes_stay_consumed BEFORE UPDATE OF consumed_at ON authorization_codes FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND NEW.consumed_at IS DISTINCT FROM OLD.consumed_at) EXECUTE FUNCTION refuse_revival('consumed_at');
CREATE TRIGGER authorization_requests_stay_consumed BEFORE UPDATE OF consumed_at ON authorization_requests FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND NEW.consumed_at IS DISTINCT FROM OLD.consumed_at) EXECUTE FUNCTION refuse_revival('consumed_at');
CREATE TRIGGER device_codes_stay_consumed BEFORE UPDATE OF consumed_at ON device_codes FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND NEW.consumed_at IS DISTINCT FROM OLD.consumed_at) EXECUTE FUNCTION refuse_revival('consumed_at');
CREATE TRIGGER device_codes_stay_decided BEFORE UPDATE OF decision, grant_id, user_id, tenant_id, session_id, auth_time, acr, amr ON device_codes FOR EACH ROW
    WHEN (OLD.decision <> '' AND (NEW.decision, NEW.grant_id, NEW.user_id, NEW.tenant_id, NEW.session_id, NEW.auth_time, NEW.acr, NEW.amr)
        IS DISTINCT FROM (OLD.decision, OLD.grant_id, OLD.user_id, OLD.tenant_id, OLD.session_id, OLD.auth_time, OLD.acr, OLD.amr))
    EXECUTE FUNCTION refuse_revival('decision');

-- Consent given without naming a resource was for the application's default
-- audience. It is now looked up under that name, so that it doesn't cover another
-- default. The previous version still reads the row without a resource.
INSERT INTO consents (user_id, tenant_id, client_id, resource, scope, updated_at)
SELECT c.user_id, c.tenant_id, c.client_id, a.default_audience, c.scope, c.updated_at
FROM consents c JOIN applications a ON a.client_id = c.client_id
WHERE c.resource = '' AND a.default_audience <> ''
ON CONFLICT (user_id, tenant_id, client_id, resource) DO NOTHING;
