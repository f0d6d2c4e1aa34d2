-- Proof of a session. A code, or the approval of a device, names the session that
-- gave it, with the hash of a cookie of that session. The hash is checked and not
-- kept. SQLite has no roles: a program that opens the file can read all hashes. A row
-- may therefore leave the hash out.

-- +goose Up
ALTER TABLE authorization_codes ADD COLUMN session_proof blob;
ALTER TABLE device_codes ADD COLUMN session_proof blob;

-- +goose StatementBegin
CREATE TRIGGER code_proven BEFORE INSERT ON authorization_codes
    WHEN NEW.session_proof IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = NEW.session_id
        AND (s.cookie_hash = NEW.session_proof OR s.browser_hash = NEW.session_proof)) BEGIN
    SELECT RAISE(ABORT, 'no proof of the session');
END;
-- +goose StatementEnd

-- A code starts with its session's counts and the count of its application.
DROP TRIGGER code_begins;
-- +goose StatementBegin
CREATE TRIGGER code_begins AFTER INSERT ON authorization_codes BEGIN
    UPDATE authorization_codes SET session_proof = NULL, ends =
        COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = '' AND e.tenant_id = '' AND e.client_id = NEW.client_id), 0)
        + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = NEW.session_id), 0)
    WHERE code_hash = NEW.code_hash;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_code_proven BEFORE UPDATE OF decision ON device_codes
    WHEN NEW.session_proof IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = NEW.session_id
        AND (s.cookie_hash = NEW.session_proof OR s.browser_hash = NEW.session_proof)) BEGIN
    SELECT RAISE(ABORT, 'no proof of the session');
END;
-- +goose StatementEnd

-- An approval adds the counts of its session. Replicas of the version before add
-- them, too; this trigger replaces their sum.
-- +goose StatementBegin
CREATE TRIGGER device_code_approved AFTER UPDATE OF decision ON device_codes
    WHEN OLD.decision = '' AND NEW.decision = 'approved' BEGIN
    UPDATE device_codes SET session_proof = NULL,
        ends = OLD.ends + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = NEW.session_id), 0)
    WHERE device_code_hash = NEW.device_code_hash;
END;
-- +goose StatementEnd
