-- How often all access of a person, of a person in a tenant, of a tenant or of an
-- application has been ended. Everything that gives access carries the sum of the
-- counts that applied when it was given. A different sum later means that the
-- access has ended, whatever the rows, the clocks or a redemption in progress say.
-- Triggers count, so that changes by older versions and by hand in psql are
-- counted too.

-- +goose Up
CREATE TABLE access_ends (
    -- Which of the three are set says whose access it is; the others are empty.
    user_id   text NOT NULL,
    tenant_id text NOT NULL,
    client_id text NOT NULL,
    ends      bigint NOT NULL DEFAULT 0,
    -- The count up to which sessions and grants were marked and notices queued.
    finished  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, tenant_id, client_id),
    CHECK ((client_id = '') = (user_id <> '' OR tenant_id <> ''))
);
CREATE INDEX access_ends_unfinished ON access_ends (user_id) WHERE finished < ends;

-- person_ends is the count of the session's person alone. A session made from
-- another one starts with it.
ALTER TABLE sessions
    ADD COLUMN ends        bigint NOT NULL DEFAULT 0,
    ADD COLUMN person_ends bigint NOT NULL DEFAULT 0;
-- For rows from a version that does not know the column, the trigger fills in the
-- current count.
ALTER TABLE sessions ALTER COLUMN person_ends SET DEFAULT -1;
ALTER TABLE authorization_codes ADD COLUMN ends bigint NOT NULL DEFAULT 0;
ALTER TABLE device_codes ADD COLUMN ends bigint NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN ends bigint NOT NULL DEFAULT 0;

CREATE INDEX sessions_tenant ON sessions (tenant_id) WHERE ended_at IS NULL;
CREATE INDEX grants_tenant ON grants (tenant_id) WHERE revoked_at IS NULL;
CREATE INDEX grants_client ON grants (client_id) WHERE revoked_at IS NULL;
CREATE INDEX device_codes_grant ON device_codes (grant_id) WHERE grant_id <> '';

-- The count of one scope. It is STABLE so that it sees what the calling statement
-- sees.
-- +goose StatementBegin
CREATE FUNCTION access_ends_of(of_user text, of_tenant text, of_client text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT COALESCE((SELECT ends FROM access_ends WHERE user_id = of_user AND tenant_id = of_tenant AND client_id = of_client), 0)
$$;
-- +goose StatementEnd

-- A session starts with the person's count as of the authentication, and the
-- tenant's count as of the choice of the tenant.
-- +goose StatementBegin
CREATE FUNCTION session_begins() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.person_ends < 0 THEN
            NEW.person_ends := access_ends_of(NEW.user_id, '', '');
        END IF;
        NEW.ends := NEW.person_ends;
    ELSIF OLD.tenant_id <> '' OR NEW.tenant_id = '' THEN
        RETURN NEW;
    END IF;
    IF NEW.tenant_id <> '' THEN
        NEW.ends := NEW.ends + access_ends_of('', NEW.tenant_id, '') + access_ends_of(NEW.user_id, NEW.tenant_id, '');
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER session_begins BEFORE INSERT OR UPDATE OF tenant_id ON sessions FOR EACH ROW EXECUTE FUNCTION session_begins();

-- A code starts with its session's counts and the count of its application.
-- +goose StatementBegin
CREATE FUNCTION code_begins() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    NEW.ends := access_ends_of('', '', NEW.client_id) + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = NEW.session_id), 0);
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER code_begins BEFORE INSERT ON authorization_codes FOR EACH ROW EXECUTE FUNCTION code_begins();

-- The person's part is added when they approve.
-- +goose StatementBegin
CREATE FUNCTION device_code_begins() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    NEW.ends := access_ends_of('', '', NEW.client_id);
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER device_code_begins BEFORE INSERT ON device_codes FOR EACH ROW EXECUTE FUNCTION device_code_begins();

-- A grant starts with the counts of the code it came from, however much later it
-- is made.
-- +goose StatementBegin
CREATE FUNCTION grant_begins() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    NEW.ends := COALESCE(
        (SELECT c.ends FROM authorization_codes c WHERE c.grant_id = NEW.id),
        (SELECT min(d.ends) FROM device_codes d WHERE d.grant_id = NEW.id AND d.grant_id <> ''),
        0);
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER grant_begins BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION grant_begins();

-- It runs as the owner, because an operator at psql has no rights on the counts.
-- +goose StatementBegin
CREATE FUNCTION end_access() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_user   text := '';
    of_tenant text := '';
    of_client text := '';
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'users' THEN of_user := NEW.id;
        WHEN 'tenants' THEN of_tenant := NEW.id;
        WHEN 'applications' THEN of_client := NEW.client_id;
        WHEN 'memberships' THEN
            IF TG_OP = 'DELETE' THEN
                of_user := OLD.user_id; of_tenant := OLD.tenant_id;
            ELSE
                -- Somebody who was a member before: what they had then is over.
                EXECUTE format('UPDATE %I.access_ends SET ends = ends + 1 WHERE user_id = $1 AND tenant_id = $2 AND client_id = ''''', TG_TABLE_SCHEMA)
                    USING NEW.user_id, NEW.tenant_id;
                RETURN NULL;
            END IF;
    END CASE;
    EXECUTE format('INSERT INTO %I.access_ends AS e (user_id, tenant_id, client_id, ends) VALUES ($1, $2, $3, 1)
        ON CONFLICT (user_id, tenant_id, client_id) DO UPDATE SET ends = e.ends + 1', TG_TABLE_SCHEMA)
        USING of_user, of_tenant, of_client;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION end_access() FROM PUBLIC;

-- Disabling ends access. Enabling ends access that a process gave in between
-- because it did not know of the disabling. A tenant that stops accepting
-- passwords ends its sessions.
CREATE TRIGGER user_access_ends AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL)) EXECUTE FUNCTION end_access();
CREATE TRIGGER tenant_access_ends AFTER UPDATE ON tenants FOR EACH ROW
    WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL) OR (NEW.sso_only AND NOT OLD.sso_only)) EXECUTE FUNCTION end_access();
CREATE TRIGGER application_access_ends AFTER UPDATE ON applications FOR EACH ROW
    WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL)) EXECUTE FUNCTION end_access();
CREATE TRIGGER membership_access_ends AFTER INSERT OR DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION end_access();
