-- Less trust in a single row. Changes are recorded by key. The approval of a
-- device names the session that gave it. End times are final. A later migration
-- that recreates one of these tables must recreate its triggers.

-- +goose Up

-- When each key of a topic last changed, in the order of the changes. A row stays
-- when its application or key is deleted, since that is a change too.
CREATE TABLE change_keys (
    topic   text NOT NULL,
    key     text NOT NULL, -- empty: any key of the topic
    version integer NOT NULL,
    PRIMARY KEY (topic, key)
);
CREATE INDEX change_keys_version ON change_keys (version);

DROP TRIGGER applications_inserted;
-- +goose StatementBegin
CREATE TRIGGER applications_inserted AFTER INSERT ON applications BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', NEW.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER applications_updated;
-- +goose StatementBegin
CREATE TRIGGER applications_updated AFTER UPDATE ON applications BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', NEW.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', OLD.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER applications_deleted;
-- +goose StatementBegin
CREATE TRIGGER applications_deleted AFTER DELETE ON applications BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', OLD.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER application_secrets_inserted;
-- +goose StatementBegin
CREATE TRIGGER application_secrets_inserted AFTER INSERT ON application_secrets BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', NEW.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER application_secrets_updated;
-- +goose StatementBegin
CREATE TRIGGER application_secrets_updated AFTER UPDATE ON application_secrets BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', NEW.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', OLD.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER application_secrets_deleted;
-- +goose StatementBegin
CREATE TRIGGER application_secrets_deleted AFTER DELETE ON application_secrets BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
    INSERT INTO change_keys (topic, key, version) VALUES ('applications', OLD.client_id, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER signing_keys_inserted;
-- +goose StatementBegin
CREATE TRIGGER signing_keys_inserted AFTER INSERT ON signing_keys BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'signing_keys';
    INSERT INTO change_keys (topic, key, version) VALUES ('signing_keys', NEW.kid, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER signing_keys_updated;
-- +goose StatementBegin
CREATE TRIGGER signing_keys_updated AFTER UPDATE ON signing_keys BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'signing_keys';
    INSERT INTO change_keys (topic, key, version) VALUES ('signing_keys', NEW.kid, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
    INSERT INTO change_keys (topic, key, version) VALUES ('signing_keys', OLD.kid, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER signing_keys_deleted;
-- +goose StatementBegin
CREATE TRIGGER signing_keys_deleted AFTER DELETE ON signing_keys BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'signing_keys';
    INSERT INTO change_keys (topic, key, version) VALUES ('signing_keys', OLD.kid, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER key_orders_inserted;
-- +goose StatementBegin
CREATE TRIGGER key_orders_inserted AFTER INSERT ON key_orders BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'key_orders';
    INSERT INTO change_keys (topic, key, version) VALUES ('key_orders', NEW.algorithm, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
DROP TRIGGER key_orders_updated;
-- +goose StatementBegin
CREATE TRIGGER key_orders_updated AFTER UPDATE ON key_orders BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'key_orders';
    INSERT INTO change_keys (topic, key, version) VALUES ('key_orders', NEW.algorithm, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
    INSERT INTO change_keys (topic, key, version) VALUES ('key_orders', OLD.algorithm, (SELECT COALESCE(max(version), 0) + 1 FROM change_keys))
        ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd

-- The session in which a person approved a device; redemption checks it.
ALTER TABLE device_codes ADD COLUMN session_id text NOT NULL DEFAULT '';

-- An end time can't be removed or changed.
-- +goose StatementBegin
CREATE TRIGGER grants_stay_revoked BEFORE UPDATE OF revoked_at ON grants
    WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at BEGIN
    SELECT RAISE(ABORT, 'revoked_at of grants is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sessions_stay_ended BEFORE UPDATE OF ended_at ON sessions
    WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at BEGIN
    SELECT RAISE(ABORT, 'ended_at of sessions is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_keys_stay_revoked BEFORE UPDATE OF revoked_at ON signing_keys
    WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at BEGIN
    SELECT RAISE(ABORT, 'revoked_at of signing_keys is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER refresh_tokens_stay_rotated BEFORE UPDATE OF rotated_at ON refresh_tokens
    WHEN OLD.rotated_at IS NOT NULL AND NEW.rotated_at IS NOT OLD.rotated_at BEGIN
    SELECT RAISE(ABORT, 'rotated_at of refresh_tokens is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER authorization_codes_stay_consumed BEFORE UPDATE OF consumed_at ON authorization_codes
    WHEN OLD.consumed_at IS NOT NULL AND NEW.consumed_at IS NOT OLD.consumed_at BEGIN
    SELECT RAISE(ABORT, 'consumed_at of authorization_codes is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER authorization_requests_stay_consumed BEFORE UPDATE OF consumed_at ON authorization_requests
    WHEN OLD.consumed_at IS NOT NULL AND NEW.consumed_at IS NOT OLD.consumed_at BEGIN
    SELECT RAISE(ABORT, 'consumed_at of authorization_requests is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_codes_stay_consumed BEFORE UPDATE OF consumed_at ON device_codes
    WHEN OLD.consumed_at IS NOT NULL AND NEW.consumed_at IS NOT OLD.consumed_at BEGIN
    SELECT RAISE(ABORT, 'consumed_at of device_codes is set once and never changes');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_codes_stay_decided BEFORE UPDATE OF decision, grant_id, user_id, tenant_id, session_id, auth_time, acr, amr ON device_codes
    WHEN OLD.decision <> '' AND (NEW.decision, NEW.grant_id, NEW.user_id, NEW.tenant_id, NEW.session_id, NEW.auth_time, NEW.acr, NEW.amr) IS NOT (OLD.decision, OLD.grant_id, OLD.user_id, OLD.tenant_id, OLD.session_id, OLD.auth_time, OLD.acr, OLD.amr) BEGIN
    SELECT RAISE(ABORT, 'decision of device_codes is set once and never changes');
END;
-- +goose StatementEnd

-- Consent given without naming a resource was for the application's default
-- audience. It is now looked up under that name, so that it doesn't cover another
-- default. The previous version still reads the row without a resource.
INSERT INTO consents (user_id, tenant_id, client_id, resource, scope, updated_at)
SELECT c.user_id, c.tenant_id, c.client_id, a.default_audience, c.scope, c.updated_at
FROM consents c JOIN applications a ON a.client_id = c.client_id
WHERE c.resource = '' AND a.default_audience <> ''
ON CONFLICT (user_id, tenant_id, client_id, resource) DO NOTHING;
