-- Proof of a session. A code, or the approval of a device, names the session that
-- gave it. A role that can't read the hashes of cookies must also give the hash of a
-- cookie of that session, which it can only know from the browser that sent the
-- cookie. The hash is checked and not kept.

-- +goose Up
ALTER TABLE authorization_codes ADD COLUMN session_proof bytea;
ALTER TABLE device_codes ADD COLUMN session_proof bytea;

-- session_of_cookie returns the session of a session cookie, by the cookie's SHA-256.
-- sessions_of_browser returns those of an accounts cookie. They let a service look
-- up the sessions of the browser before it, and list no others.
-- +goose StatementBegin
CREATE FUNCTION session_of_cookie(of_cookie bytea)
RETURNS TABLE (id text, user_id text, tenant_id text, auth_time timestamptz, acr text, amr jsonb, created_at timestamptz, last_seen_at timestamptz,
               expires_at timestamptz, ended_at timestamptz, user_agent text, address text, ends bigint, person_ends bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 AS $$
    SELECT s.id, s.user_id, s.tenant_id, s.auth_time, s.acr, s.amr, s.created_at, s.last_seen_at,
           s.expires_at, s.ended_at, s.user_agent, s.address, s.ends, s.person_ends
      FROM sessions s WHERE s.cookie_hash = of_cookie
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION sessions_of_browser(of_cookie bytea)
RETURNS TABLE (id text, user_id text, tenant_id text, auth_time timestamptz, acr text, amr jsonb, created_at timestamptz, last_seen_at timestamptz,
               expires_at timestamptz, ended_at timestamptz, user_agent text, address text, ends bigint, person_ends bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 AS $$
    SELECT s.id, s.user_id, s.tenant_id, s.auth_time, s.acr, s.amr, s.created_at, s.last_seen_at,
           s.expires_at, s.ended_at, s.user_agent, s.address, s.ends, s.person_ends
      FROM sessions s WHERE s.browser_hash = of_cookie AND s.ended_at IS NULL
$$;
-- +goose StatementEnd

-- require_session_proof fails unless proof is the hash of a cookie of the session. It
-- demands none from a role that may read the hashes: that is the session service, the
-- owner of the tables and, while an upgrade rolls out, a replica of the version
-- before.
-- +goose StatementBegin
CREATE FUNCTION require_session_proof(of_session text, proof bytea) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF proof IS NULL AND has_column_privilege(session_user, 'sessions'::regclass, 'cookie_hash', 'SELECT') THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM sessions s WHERE s.id = of_session AND (s.cookie_hash = proof OR s.browser_hash = proof)) THEN
        RAISE EXCEPTION 'no proof of the session';
    END IF;
END
$$;
-- +goose StatementEnd

-- From here on the functions run as the owner, since the roles that write codes
-- read neither hashes nor counts of sessions.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION code_begins() RETURNS trigger LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    PERFORM require_session_proof(NEW.session_id, NEW.session_proof);
    NEW.session_proof := NULL;
    NEW.ends := access_ends_of('', '', NEW.client_id) + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = NEW.session_id), 0);
    RETURN NEW;
END
$$;
-- +goose StatementEnd

-- A device code begins undecided.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION device_code_begins() RETURNS trigger LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    IF NEW.decision = 'approved' THEN
        PERFORM require_session_proof(NEW.session_id, NEW.session_proof);
    END IF;
    NEW.session_proof := NULL;
    NEW.ends := access_ends_of('', '', NEW.client_id);
    RETURN NEW;
END
$$;
-- +goose StatementEnd

-- An approval adds the counts of its session. Replicas of the version before add
-- them, too; this function replaces their sum.
-- +goose StatementBegin
CREATE FUNCTION device_code_approved() RETURNS trigger LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    PERFORM require_session_proof(NEW.session_id, NEW.session_proof);
    NEW.session_proof := NULL;
    NEW.ends := OLD.ends + COALESCE((SELECT s.ends FROM sessions s WHERE s.id = NEW.session_id), 0);
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER device_code_approved BEFORE UPDATE OF decision ON device_codes FOR EACH ROW
    WHEN (OLD.decision = '' AND NEW.decision = 'approved') EXECUTE FUNCTION device_code_approved();

-- The functions use this schema, not the caller's; pg_catalog implicitly precedes
-- it.
-- +goose StatementBegin
DO $$
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY ARRAY['session_of_cookie(bytea)', 'sessions_of_browser(bytea)', 'require_session_proof(text, bytea)',
                                     'code_begins()', 'device_code_begins()', 'device_code_approved()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', signature, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    END LOOP;
END
$$;
-- +goose StatementEnd
