-- The rights of each service on the tables. There is one group role per service; a
-- deployment creates login roles that are members of one. `platform migrate
-- --roles` runs this file after the migrations, as the owner of the tables. It runs
-- in one transaction and first revokes everything, so that afterwards the rights
-- are exactly those below, without running services noticing.
--
-- DELETE on sessions, requests, codes, grants and tokens doesn't remove a row that has
-- ended but not expired: triggers keep it.
--
-- UPDATE and SELECT … FOR UPDATE also need SELECT on the columns they read. Foreign
-- key checks run as the owner and need no rights here.

-- Two concurrent runs would conflict on rows of the system catalogues.
SELECT pg_advisory_xact_lock(x'706c6174726f6c65'::bigint); -- "platrole"

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['platform_authorize', 'platform_token', 'platform_device',
                                'platform_session', 'platform_keys', 'platform_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Roles are shared by the whole server, but the lock is per database:
                -- a migration of another database was first.
                NULL;
            END;
        END IF;
    END LOOP;

    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator', current_schema());
END
$$;

-- By name, because the schema may contain other tables. This also revokes rights
-- on columns.
REVOKE ALL
    ON goose_db_version, tenants, tenant_domains, users, memberships, credentials, applications,
       application_secrets, authorization_requests, authorization_codes, sessions, consents, grants,
       device_codes, signing_keys, refresh_tokens, revoked_tokens, used_assertions, limits, audit_events,
       logout_outbox, key_orders, change_versions, change_keys, audit_seals, user_logins, directory_marks,
       access_ends
    FROM PUBLIC, platform_authorize, platform_token, platform_device, platform_session, platform_keys,
         platform_operator;

-- All roles: the schema version, the applications, the keys for verifying, and
-- whether any of these have changed.
GRANT SELECT ON goose_db_version, applications, signing_keys, change_versions, change_keys
    TO platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;

-- How often access was ended. Services that give access read the counts; people and
-- operators end access. Triggers count when something is disabled.
GRANT SELECT ON access_ends TO platform_authorize, platform_token, platform_device;
GRANT SELECT, INSERT, UPDATE (ends, finished) ON access_ends TO platform_session, platform_operator;

-- The audit trail. Every role adds to it. The services exposed to the public can't
-- read it, and no role can change or delete a row.
GRANT INSERT ON audit_events
    TO platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;

-- keys: seals each day's rows, of which it reads only the chains, and removes rows
-- that are too old, through functions that remove nothing younger than 30 days.
GRANT SELECT (at, service, chain, seq, hash) ON audit_events TO platform_keys;
GRANT SELECT, INSERT ON audit_seals TO platform_keys;
DO $$
BEGIN
    REVOKE ALL ON FUNCTION audit_months(), keep_audit_months(integer), drop_audit_events(timestamptz, integer)
        FROM PUBLIC, platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;
    GRANT EXECUTE ON FUNCTION keep_audit_months(integer), drop_audit_events(timestamptz, integer) TO platform_keys;
END
$$;

-- Counts of failed guesses, kept by the services that check them, and of started
-- sign-ins. The keys are keyed hashes.
GRANT SELECT, INSERT, UPDATE, DELETE ON limits
    TO platform_authorize, platform_token, platform_device, platform_session;

-- An operator can reset the counts of an account, but can't read them.
GRANT SELECT (key, subject), DELETE ON limits TO platform_operator;

-- People, for the services that show them or put them into tokens. Password hashes
-- are in a table of their own, which only the sign-in reads.
GRANT SELECT ON tenants, users, memberships
    TO platform_authorize, platform_token, platform_device, platform_session;
GRANT SELECT ON tenant_domains TO platform_session;

-- Hashes of application secrets, for the services that authenticate applications.
GRANT SELECT ON application_secrets TO platform_token, platform_device;
-- UPDATE (expires_at) is needed to lock a row while it is removed.
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at) ON used_assertions TO platform_token, platform_device;

-- What people consented to.
GRANT SELECT ON consents TO platform_authorize, platform_token, platform_device;

-- Who is signed in. authorize and device find a session by the hash of a cookie, which
-- they know from the browser that sent it, and read no hashes. A trigger demands such a
-- hash for every code and approval that they write, so that their roles alone issue
-- nothing for a person who is signed in.
DO $$
BEGIN
    REVOKE ALL ON FUNCTION session_of_cookie(bytea), sessions_of_browser(bytea)
        FROM PUBLIC, platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;
    GRANT EXECUTE ON FUNCTION session_of_cookie(bytea) TO platform_authorize, platform_device, platform_session;
    GRANT EXECUTE ON FUNCTION sessions_of_browser(bytea) TO platform_authorize, platform_session;
END
$$;
GRANT SELECT (id, last_seen_at, ended_at), UPDATE (last_seen_at) ON sessions TO platform_authorize;
GRANT SELECT (id, user_id, tenant_id, auth_time, acr, amr, expires_at, ended_at) ON sessions TO platform_token;

-- An application's request that waits for a person. The row's outcome isn't the
-- application's, so that only the session service sets those columns.
GRANT SELECT, INSERT (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, state, nonce, code_challenge, prompt, max_age,
                      login_hint, acr_values, ui_locales, resource, hint_subject, user_code, trace_parent, created_at, expires_at),
      UPDATE (consumed_at)
    ON authorization_requests TO platform_authorize, platform_device;

-- authorize: issues codes, and removes requests and codes that are over.
GRANT DELETE ON authorization_requests TO platform_authorize;
GRANT SELECT, INSERT, DELETE, UPDATE (consumed_at) ON authorization_codes TO platform_authorize;

-- token: redeems codes and device codes, and owns the grants and their tokens. The
-- end of a grant ends its refresh tokens, so no other service needs those.
GRANT SELECT, UPDATE (consumed_at) ON authorization_codes TO platform_token;
GRANT SELECT, UPDATE (interval_seconds, last_polled_at, consumed_at) ON device_codes TO platform_token;
GRANT SELECT, INSERT, UPDATE, DELETE ON grants, refresh_tokens, revoked_tokens TO platform_token;

-- device: owns the device codes. A code is inserted undecided.
GRANT SELECT, DELETE,
      INSERT (device_code_hash, user_code, client_id, scope, resource, interval_seconds, address, network, created_at, expires_at, trace_parent),
      UPDATE (decision, decided_at, grant_id, user_id, tenant_id, session_id, session_proof, auth_time, acr, amr)
    ON device_codes TO platform_device;

-- session: signs people in, asks for consent, ends sessions and notifies
-- applications.
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, consents, logout_outbox TO platform_session;
-- An application's request is sealed in the URL of the sign-in pages, and the session
-- service creates its row when the person first does something there. It therefore
-- inserts all columns of a request except those of its outcome, and can't change the
-- application's parameters afterwards. It isn't trusted about what the application may
-- have: authorize checks the registration again before it issues a code for the row.
GRANT INSERT (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, state, nonce, code_challenge, prompt, max_age,
              login_hint, acr_values, ui_locales, resource, hint_subject, user_code, trace_parent, login_email, tenant_id,
              created_at, expires_at)
    ON authorization_requests TO platform_session;
-- A sign-in gives the browser a new cookie, and its waiting requests move to it.
GRANT SELECT, UPDATE (browser_hash, login_email, session_id, tenant_id, decision, decided_at)
    ON authorization_requests TO platform_session;
GRANT SELECT, UPDATE (revoked_at, ends) ON grants TO platform_session;
-- When consent is withdrawn or access ended, the application's pending codes and
-- requests expire. The column ends is updated for a session that goes on when all
-- others end.
GRANT SELECT (user_id, client_id, tenant_id, session_id, offline, created_at, consumed_at, expires_at, ends), UPDATE (expires_at, ends)
    ON authorization_codes TO platform_session;
GRANT SELECT (user_id, client_id, tenant_id, decision, created_at, consumed_at, expires_at, ends), UPDATE (expires_at)
    ON device_codes TO platform_session;
GRANT UPDATE (expires_at) ON authorization_requests TO platform_session;
GRANT SELECT, UPDATE (password_hash, updated_at) ON credentials TO platform_session;
GRANT SELECT, INSERT, UPDATE (last_login_at) ON user_logins TO platform_session;

-- keys: the schedule of the signing keys. A key's kid, generation and public half
-- never change.
GRANT INSERT, DELETE, UPDATE (active_from, retire_at, revoked_at) ON signing_keys TO platform_keys;
-- An operator's order is removed once it has been carried out.
GRANT SELECT, DELETE ON key_orders TO platform_keys;

-- operator: who may sign in, and to which applications.
GRANT SELECT, INSERT, UPDATE, DELETE
    ON tenants, tenant_domains, users, memberships, credentials, applications, application_secrets,
       directory_marks
    TO platform_operator;
GRANT SELECT ON user_logins TO platform_operator;

-- The operator can also look at sessions, grants, consents and the trail, and end
-- sessions and grants. The hashes of cookies stay hidden from operators.
GRANT SELECT (id, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, ended_at, user_agent, address, ends, person_ends),
      UPDATE (ended_at)
    ON sessions TO platform_operator;
GRANT SELECT, UPDATE (revoked_at) ON grants TO platform_operator;
GRANT SELECT ON consents TO platform_operator;
-- Ending access makes codes and requests expire, and queues the notices for the
-- applications.
GRANT SELECT (user_id, client_id, tenant_id, session_id, created_at, consumed_at, expires_at, ends), UPDATE (expires_at)
    ON authorization_codes TO platform_operator;
GRANT SELECT (user_id, client_id, tenant_id, created_at, consumed_at, expires_at, ends), UPDATE (expires_at)
    ON device_codes TO platform_operator;
GRANT SELECT (client_id, created_at, consumed_at, expires_at), UPDATE (expires_at) ON authorization_requests TO platform_operator;
GRANT INSERT ON logout_outbox TO platform_operator;
GRANT SELECT ON audit_events, audit_seals TO platform_operator;
-- An operator can't create keys or change the schedule, but can revoke a key and ask
-- the keys service for the next one.
GRANT UPDATE (revoked_at) ON signing_keys TO platform_operator;
GRANT SELECT, INSERT, UPDATE (immediate) ON key_orders TO platform_operator;
