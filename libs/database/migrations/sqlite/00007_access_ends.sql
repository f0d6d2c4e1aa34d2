-- How often all access of a person, of a person in a tenant, of a tenant or of an
-- application has been ended. Everything that gives access carries the sum of the
-- counts that applied when it was given. A different sum later means that the
-- access has ended, whatever the rows, the clocks or a redemption in progress say.
-- Triggers count, so that changes by older versions and by hand in sqlite3 are
-- counted too.

-- +goose Up
CREATE TABLE access_ends (
    -- Which of the three are set says whose access it is; the others are empty.
    user_id   text NOT NULL,
    tenant_id text NOT NULL,
    client_id text NOT NULL,
    ends      integer NOT NULL DEFAULT 0,
    -- The count up to which sessions and grants were marked and notices queued.
    finished  integer NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, tenant_id, client_id),
    CHECK ((client_id = '') = (user_id <> '' OR tenant_id <> ''))
);
CREATE INDEX access_ends_unfinished ON access_ends (user_id) WHERE finished < ends;

-- person_ends is the count of the session's person alone. A session made from
-- another one starts with it.
ALTER TABLE sessions ADD COLUMN ends integer NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN person_ends integer NOT NULL DEFAULT 0;
ALTER TABLE authorization_codes ADD COLUMN ends integer NOT NULL DEFAULT 0;
ALTER TABLE device_codes ADD COLUMN ends integer NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN ends integer NOT NULL DEFAULT 0;

CREATE INDEX sessions_tenant ON sessions (tenant_id) WHERE ended_at IS NULL;
CREATE INDEX grants_tenant ON grants (tenant_id) WHERE revoked_at IS NULL;
CREATE INDEX grants_client ON grants (client_id) WHERE revoked_at IS NULL;
CREATE INDEX device_codes_grant ON device_codes (grant_id) WHERE grant_id <> '';

-- A session starts with the person's count as of the authentication, and the
-- tenant's count as of the choice of the tenant.
-- +goose StatementBegin
CREATE TRIGGER session_begins AFTER INSERT ON sessions BEGIN
    UPDATE sessions SET ends = NEW.person_ends
        + CASE WHEN NEW.tenant_id = '' THEN 0 ELSE
            COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = '' AND e.tenant_id = NEW.tenant_id AND e.client_id = ''), 0)
          + COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = NEW.user_id AND e.tenant_id = NEW.tenant_id AND e.client_id = ''), 0) END
    WHERE id = NEW.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER session_enters AFTER UPDATE OF tenant_id ON sessions WHEN OLD.tenant_id = '' AND NEW.tenant_id <> '' BEGIN
    UPDATE sessions SET ends = ends
        + COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = '' AND e.tenant_id = NEW.tenant_id AND e.client_id = ''), 0)
        + COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = NEW.user_id AND e.tenant_id = NEW.tenant_id AND e.client_id = ''), 0)
    WHERE id = NEW.id;
END;
-- +goose StatementEnd

-- A code starts with its session's counts and the count of its application.
-- +goose StatementBegin
CREATE TRIGGER code_begins AFTER INSERT ON authorization_codes BEGIN
    UPDATE authorization_codes SET ends =
        COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = '' AND e.tenant_id = '' AND e.client_id = NEW.client_id), 0)
        + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = NEW.session_id), 0)
    WHERE code_hash = NEW.code_hash;
END;
-- +goose StatementEnd

-- The person's part is added when they approve.
-- +goose StatementBegin
CREATE TRIGGER device_code_begins AFTER INSERT ON device_codes BEGIN
    UPDATE device_codes SET ends =
        COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = '' AND e.tenant_id = '' AND e.client_id = NEW.client_id), 0)
    WHERE device_code_hash = NEW.device_code_hash;
END;
-- +goose StatementEnd

-- A grant starts with the counts of the code it came from, however much later it
-- is made.
-- +goose StatementBegin
CREATE TRIGGER grant_begins AFTER INSERT ON grants BEGIN
    UPDATE grants SET ends = COALESCE(
        (SELECT c.ends FROM authorization_codes c WHERE c.grant_id = NEW.id),
        (SELECT min(d.ends) FROM device_codes d WHERE d.grant_id = NEW.id AND d.grant_id <> ''),
        0)
    WHERE id = NEW.id;
END;
-- +goose StatementEnd

-- Disabling ends access. Enabling ends access that a process gave in between
-- because it did not know of the disabling. A tenant that stops accepting
-- passwords ends its sessions.
-- +goose StatementBegin
CREATE TRIGGER user_access_ends AFTER UPDATE ON users WHEN (OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL) BEGIN
    INSERT INTO access_ends (user_id, tenant_id, client_id, ends) VALUES (NEW.id, '', '', 1)
        ON CONFLICT (user_id, tenant_id, client_id) DO UPDATE SET ends = ends + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tenant_access_ends AFTER UPDATE ON tenants
    WHEN (OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL) OR (NEW.sso_only AND NOT OLD.sso_only) BEGIN
    INSERT INTO access_ends (user_id, tenant_id, client_id, ends) VALUES ('', NEW.id, '', 1)
        ON CONFLICT (user_id, tenant_id, client_id) DO UPDATE SET ends = ends + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER application_access_ends AFTER UPDATE ON applications WHEN (OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL) BEGIN
    INSERT INTO access_ends (user_id, tenant_id, client_id, ends) VALUES ('', '', NEW.client_id, 1)
        ON CONFLICT (user_id, tenant_id, client_id) DO UPDATE SET ends = ends + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER membership_access_ends AFTER DELETE ON memberships BEGIN
    INSERT INTO access_ends (user_id, tenant_id, client_id, ends) VALUES (OLD.user_id, OLD.tenant_id, '', 1)
        ON CONFLICT (user_id, tenant_id, client_id) DO UPDATE SET ends = ends + 1;
END;
-- +goose StatementEnd
-- Somebody who was a member before: what they had then is over.
-- +goose StatementBegin
CREATE TRIGGER membership_begins AFTER INSERT ON memberships BEGIN
    UPDATE access_ends SET ends = ends + 1 WHERE user_id = NEW.user_id AND tenant_id = NEW.tenant_id AND client_id = '';
END;
-- +goose StatementEnd
