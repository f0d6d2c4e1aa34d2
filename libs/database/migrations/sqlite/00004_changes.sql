-- What processes keep in memory is announced when it changes: a version a topic,
-- for who looks. Triggers do it, so that older versions and a hand at the sqlite3
-- prompt announce too. A later migration that makes one of these tables anew
-- makes its triggers anew.

-- +goose Up
CREATE TABLE change_versions (
    topic   text PRIMARY KEY,
    -- Another number after every change.
    version integer NOT NULL DEFAULT 0
);
INSERT INTO change_versions (topic) VALUES ('applications'), ('signing_keys'), ('key_orders');

-- +goose StatementBegin
CREATE TRIGGER applications_inserted AFTER INSERT ON applications BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER applications_updated AFTER UPDATE ON applications BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER applications_deleted AFTER DELETE ON applications BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
END;
-- +goose StatementEnd
-- A secret is a part of its application.
-- +goose StatementBegin
CREATE TRIGGER application_secrets_inserted AFTER INSERT ON application_secrets BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER application_secrets_updated AFTER UPDATE ON application_secrets BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER application_secrets_deleted AFTER DELETE ON application_secrets BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'applications';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_keys_inserted AFTER INSERT ON signing_keys BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'signing_keys';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_keys_updated AFTER UPDATE ON signing_keys BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'signing_keys';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_keys_deleted AFTER DELETE ON signing_keys BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'signing_keys';
END;
-- +goose StatementEnd
-- What is taken away was carried out: nobody need know.
-- +goose StatementBegin
CREATE TRIGGER key_orders_inserted AFTER INSERT ON key_orders BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'key_orders';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER key_orders_updated AFTER UPDATE ON key_orders BEGIN
    UPDATE change_versions SET version = version + 1 WHERE topic = 'key_orders';
END;
-- +goose StatementEnd

-- What was given up is removed by this.
CREATE INDEX logout_outbox_given_up ON logout_outbox (gave_up_at) WHERE gave_up_at IS NOT NULL;
