-- A row that has ended keeps its key and its expiry. PostgreSQL also keeps the roles of
-- the services from removing it early; SQLite has no roles, and a program that opens
-- the file can do anything. A later migration that recreates one of these tables must
-- recreate its triggers.

-- +goose Up
-- +goose StatementBegin
CREATE TRIGGER grants_keep_end BEFORE UPDATE OF id, expires_at ON grants
    WHEN OLD.revoked_at IS NOT NULL AND (NEW.id, NEW.expires_at) IS NOT (OLD.id, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of grants that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sessions_keep_end BEFORE UPDATE OF id, expires_at ON sessions
    WHEN OLD.ended_at IS NOT NULL AND (NEW.id, NEW.expires_at) IS NOT (OLD.id, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of sessions that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER refresh_tokens_keep_end BEFORE UPDATE OF token_hash, expires_at ON refresh_tokens
    WHEN OLD.rotated_at IS NOT NULL AND (NEW.token_hash, NEW.expires_at) IS NOT (OLD.token_hash, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of refresh_tokens that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER revoked_tokens_keep_end BEFORE UPDATE OF jti, expires_at ON revoked_tokens
    WHEN (NEW.jti, NEW.expires_at) IS NOT (OLD.jti, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of revoked_tokens that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER authorization_codes_keep_end BEFORE UPDATE OF code_hash, expires_at ON authorization_codes
    WHEN OLD.consumed_at IS NOT NULL AND (NEW.code_hash, NEW.expires_at) IS NOT (OLD.code_hash, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of authorization_codes that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER authorization_requests_keep_end BEFORE UPDATE OF id, expires_at ON authorization_requests
    WHEN OLD.consumed_at IS NOT NULL AND (NEW.id, NEW.expires_at) IS NOT (OLD.id, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of authorization_requests that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_codes_keep_end BEFORE UPDATE OF device_code_hash, expires_at ON device_codes
    WHEN OLD.consumed_at IS NOT NULL AND (NEW.device_code_hash, NEW.expires_at) IS NOT (OLD.device_code_hash, OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'a row of device_codes that has ended keeps its key and expires_at');
END;
-- +goose StatementEnd
