-- What has ended stays until nothing could use it any more. A service removes the
-- rows of its own tables, so it could remove a revocation and write the row again
-- without it.

-- +goose Up

-- keep_ended leaves a row where it is, unless the owner of the table removes it, as
-- happens when its person is removed. It doesn't fail: the clock of a service may be
-- a little ahead, and one row that isn't over yet must not keep the service from
-- removing all others.
-- +goose StatementBegin
CREATE FUNCTION keep_ended() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        RETURN OLD;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER grants_keep_revoked BEFORE DELETE ON grants FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();
CREATE TRIGGER sessions_keep_ended BEFORE DELETE ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();
CREATE TRIGGER refresh_tokens_keep_rotated BEFORE DELETE ON refresh_tokens FOR EACH ROW
    WHEN (OLD.rotated_at IS NOT NULL AND OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();
CREATE TRIGGER revoked_tokens_keep BEFORE DELETE ON revoked_tokens FOR EACH ROW
    WHEN (OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();
CREATE TRIGGER authorization_codes_keep_consumed BEFORE DELETE ON authorization_codes FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();
CREATE TRIGGER authorization_requests_keep_consumed BEFORE DELETE ON authorization_requests FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();
CREATE TRIGGER device_codes_keep_decided BEFORE DELETE ON device_codes FOR EACH ROW
    WHEN (OLD.decision <> '' AND OLD.expires_at > now()) EXECUTE FUNCTION keep_ended();

-- Such a row can't be made to look expired, nor be given another key to free its own.
-- +goose StatementBegin
CREATE FUNCTION refuse_another_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a row of % that has ended keeps its key and expires_at', TG_TABLE_NAME;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER grants_keep_end BEFORE UPDATE OF id, expires_at ON grants FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND (NEW.id, NEW.expires_at) IS DISTINCT FROM (OLD.id, OLD.expires_at)) EXECUTE FUNCTION refuse_another_end();
CREATE TRIGGER sessions_keep_end BEFORE UPDATE OF id, expires_at ON sessions FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL AND (NEW.id, NEW.expires_at) IS DISTINCT FROM (OLD.id, OLD.expires_at)) EXECUTE FUNCTION refuse_another_end();
CREATE TRIGGER refresh_tokens_keep_end BEFORE UPDATE OF token_hash, expires_at ON refresh_tokens FOR EACH ROW
    WHEN (OLD.rotated_at IS NOT NULL AND (NEW.token_hash, NEW.expires_at) IS DISTINCT FROM (OLD.token_hash, OLD.expires_at))
    EXECUTE FUNCTION refuse_another_end();
CREATE TRIGGER revoked_tokens_keep_end BEFORE UPDATE OF jti, expires_at ON revoked_tokens FOR EACH ROW
    WHEN ((NEW.jti, NEW.expires_at) IS DISTINCT FROM (OLD.jti, OLD.expires_at)) EXECUTE FUNCTION refuse_another_end();
CREATE TRIGGER authorization_codes_keep_end BEFORE UPDATE OF code_hash, expires_at ON authorization_codes FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND (NEW.code_hash, NEW.expires_at) IS DISTINCT FROM (OLD.code_hash, OLD.expires_at))
    EXECUTE FUNCTION refuse_another_end();
CREATE TRIGGER authorization_requests_keep_end BEFORE UPDATE OF id, expires_at ON authorization_requests FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND (NEW.id, NEW.expires_at) IS DISTINCT FROM (OLD.id, OLD.expires_at)) EXECUTE FUNCTION refuse_another_end();
CREATE TRIGGER device_codes_keep_end BEFORE UPDATE OF device_code_hash, expires_at ON device_codes FOR EACH ROW
    WHEN (OLD.consumed_at IS NOT NULL AND (NEW.device_code_hash, NEW.expires_at) IS DISTINCT FROM (OLD.device_code_hash, OLD.expires_at))
    EXECUTE FUNCTION refuse_another_end();
